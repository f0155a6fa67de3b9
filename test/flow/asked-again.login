# while attempts go on the ban is asked for again, but no more than once a minute
0s x30 every=10s refused 203.0.113.7 attempt=each
expect 40s ban 203.0.113.7/32 fast 5
expect 100s ban 203.0.113.7/32 fast 5
expect 160s ban 203.0.113.7/32 fast 5
expect 220s ban 203.0.113.7/32 fast 5
expect 280s ban 203.0.113.7/32 fast 5
