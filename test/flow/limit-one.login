limit 1
0s refused 203.0.113.7 attempt=1
expect 0s ban 203.0.113.7/32 fast 1
