# one every two hours never gets there
0s x100 every=2h refused 203.0.113.7 attempt=each
