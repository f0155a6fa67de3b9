# without an attempt id each line is one
0s x5 every=1s refused 203.0.113.7 service=postgresql user=app
expect 4s ban 203.0.113.7/32 fast 5
