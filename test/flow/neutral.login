# lines that belong to an attempt count for nothing
0s x50 every=1s neutral 203.0.113.7 user=root attempt=each
