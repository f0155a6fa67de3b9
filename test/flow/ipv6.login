# five addresses of one /64 are one attacker; those of five networks are not
0s x5 every=1s refused 2001:db8:1:2::1 next=1 attempt=each
expect 4s ban 2001:db8:1:2::/64 fast 5
10s x4 every=1s refused 2001:db8:1:3::1 next=1 attempt=each
20s x4 every=1s refused 2001:db8:1:4::1 next=1 attempt=each
# v4-mapped is IPv4
30s x3 every=1s refused ::ffff:203.0.113.7 attempt=each
33s x2 every=1s refused 203.0.113.7 attempt=each
expect 34s ban 203.0.113.7/32 fast 5
