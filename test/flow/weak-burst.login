# a burst of guesses that the service answers with a plain 401
0s x31 every=100ms weak 203.0.113.7 service=nginx user=admin
expect 3s ban 203.0.113.7/32 weak 30
# the same from somebody who got through this morning
0s accepted 203.0.113.8 service=nginx user=ann
1h x200 every=100ms weak 203.0.113.8 service=nginx user=ann
