prefix6 128
0s x4 every=1s refused 2001:db8:1:2::1 attempt=each
10s x5 every=1s refused 2001:db8:1:2::2 attempt=each
expect 14s ban 2001:db8:1:2::2/128 fast 5
