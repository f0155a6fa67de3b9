# refused six times where nothing may be banned any more (a ban that did not come about), then it gets in
0s x7 every=1s refused 203.0.113.7 user=root attempt=each
9s accepted 203.0.113.7 user=root
expect 4s ban 203.0.113.7/32 fast 5
expect 9s suspicious 203.0.113.7/32
# another user after five is a person behind the same wall
20s x4 every=1s refused 203.0.113.9 user=ann attempt=each
30s accepted 203.0.113.9 user=bob
31s x1 refused 203.0.113.9 user=ann attempt=99
expect 31s ban 203.0.113.9/32 fast 5
32s accepted 203.0.113.9 user=bob
