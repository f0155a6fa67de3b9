# five within exactly ten minutes are five; a second more, and they are not
0s x5 every=150s refused 203.0.113.7 attempt=each
expect 600s ban 203.0.113.7/32 fast 5
0s x5 every=151s refused 203.0.113.8 attempt=each
