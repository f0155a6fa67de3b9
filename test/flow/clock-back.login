# the clock is set back by two hours in the middle
3h x4 every=1s refused 203.0.113.7 attempt=each
1h x4 every=10s refused 203.0.113.7 attempt=each
3640s refused 203.0.113.7 attempt=77777
expect 3640s ban 203.0.113.7/32 fast 5
