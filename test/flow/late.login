# lines that are read an hour late ban nobody, but count for the day
0s x19 every=1s refused 203.0.113.7 attempt=each late=1h
1h refused 203.0.113.7 attempt=9999
expect 3600s ban 203.0.113.7/32 slow 20
# those of yesterday count for nothing
2h x50 every=1s refused 203.0.113.8 attempt=each late=2d
