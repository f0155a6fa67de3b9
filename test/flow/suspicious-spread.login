# one of many that tried this account gets in with its second try
0s x60 every=1s refused 203.0.113.1 next=1 user=root attempt=each
expect 31s distributed 203.0.113.32/32
70s accepted 203.0.113.60 user=root
expect 70s suspicious 203.0.113.60/32
# and one that never tried is somebody else
80s accepted 198.51.100.5 user=root
