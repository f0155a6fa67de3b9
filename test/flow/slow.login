# one every twenty minutes: twenty within a day
0s x20 every=20m refused 203.0.113.7 attempt=each
expect 22800s ban 203.0.113.7/32 slow 20
