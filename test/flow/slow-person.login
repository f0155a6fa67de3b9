# somebody who mistypes now and then, and gets in
10s refused 203.0.113.7 user=ann attempt=1
20s refused 203.0.113.7 user=ann attempt=2
30s accepted 203.0.113.7 user=ann
1810s refused 203.0.113.7 user=ann attempt=3
1820s refused 203.0.113.7 user=ann attempt=4
1830s accepted 203.0.113.7 user=ann
3610s refused 203.0.113.7 user=ann attempt=5
3620s refused 203.0.113.7 user=ann attempt=6
3630s accepted 203.0.113.7 user=ann
5410s refused 203.0.113.7 user=ann attempt=7
5420s refused 203.0.113.7 user=ann attempt=8
5430s accepted 203.0.113.7 user=ann
7210s refused 203.0.113.7 user=ann attempt=9
7220s refused 203.0.113.7 user=ann attempt=10
7230s accepted 203.0.113.7 user=ann
9010s refused 203.0.113.7 user=ann attempt=11
9020s refused 203.0.113.7 user=ann attempt=12
9030s accepted 203.0.113.7 user=ann
10810s refused 203.0.113.7 user=ann attempt=13
10820s refused 203.0.113.7 user=ann attempt=14
10830s accepted 203.0.113.7 user=ann
12610s refused 203.0.113.7 user=ann attempt=15
12620s refused 203.0.113.7 user=ann attempt=16
12630s accepted 203.0.113.7 user=ann
14410s refused 203.0.113.7 user=ann attempt=17
14420s refused 203.0.113.7 user=ann attempt=18
14430s accepted 203.0.113.7 user=ann
16210s refused 203.0.113.7 user=ann attempt=19
16220s refused 203.0.113.7 user=ann attempt=20
16230s accepted 203.0.113.7 user=ann
18010s refused 203.0.113.7 user=ann attempt=21
18020s refused 203.0.113.7 user=ann attempt=22
18030s accepted 203.0.113.7 user=ann
19810s refused 203.0.113.7 user=ann attempt=23
19820s refused 203.0.113.7 user=ann attempt=24
19830s accepted 203.0.113.7 user=ann
21610s refused 203.0.113.7 user=ann attempt=25
21620s refused 203.0.113.7 user=ann attempt=26
21630s accepted 203.0.113.7 user=ann
23410s refused 203.0.113.7 user=ann attempt=27
23420s refused 203.0.113.7 user=ann attempt=28
23430s accepted 203.0.113.7 user=ann
25210s refused 203.0.113.7 user=ann attempt=29
25220s refused 203.0.113.7 user=ann attempt=30
25230s accepted 203.0.113.7 user=ann
27010s refused 203.0.113.7 user=ann attempt=31
27020s refused 203.0.113.7 user=ann attempt=32
27030s accepted 203.0.113.7 user=ann
28810s refused 203.0.113.7 user=ann attempt=33
28820s refused 203.0.113.7 user=ann attempt=34
28830s accepted 203.0.113.7 user=ann
30610s refused 203.0.113.7 user=ann attempt=35
30620s refused 203.0.113.7 user=ann attempt=36
30630s accepted 203.0.113.7 user=ann
32410s refused 203.0.113.7 user=ann attempt=37
32420s refused 203.0.113.7 user=ann attempt=38
32430s accepted 203.0.113.7 user=ann
34210s refused 203.0.113.7 user=ann attempt=39
34220s refused 203.0.113.7 user=ann attempt=40
34230s accepted 203.0.113.7 user=ann
36010s refused 203.0.113.7 user=ann attempt=41
36020s refused 203.0.113.7 user=ann attempt=42
36030s accepted 203.0.113.7 user=ann
37810s refused 203.0.113.7 user=ann attempt=43
37820s refused 203.0.113.7 user=ann attempt=44
37830s accepted 203.0.113.7 user=ann
39610s refused 203.0.113.7 user=ann attempt=45
39620s refused 203.0.113.7 user=ann attempt=46
39630s accepted 203.0.113.7 user=ann
41410s refused 203.0.113.7 user=ann attempt=47
41420s refused 203.0.113.7 user=ann attempt=48
41430s accepted 203.0.113.7 user=ann
43210s refused 203.0.113.7 user=ann attempt=49
43220s refused 203.0.113.7 user=ann attempt=50
43230s accepted 203.0.113.7 user=ann
45010s refused 203.0.113.7 user=ann attempt=51
45020s refused 203.0.113.7 user=ann attempt=52
45030s accepted 203.0.113.7 user=ann
46810s refused 203.0.113.7 user=ann attempt=53
46820s refused 203.0.113.7 user=ann attempt=54
46830s accepted 203.0.113.7 user=ann
48610s refused 203.0.113.7 user=ann attempt=55
48620s refused 203.0.113.7 user=ann attempt=56
48630s accepted 203.0.113.7 user=ann
50410s refused 203.0.113.7 user=ann attempt=57
50420s refused 203.0.113.7 user=ann attempt=58
50430s accepted 203.0.113.7 user=ann
52210s refused 203.0.113.7 user=ann attempt=59
52220s refused 203.0.113.7 user=ann attempt=60
52230s accepted 203.0.113.7 user=ann
54010s refused 203.0.113.7 user=ann attempt=61
54020s refused 203.0.113.7 user=ann attempt=62
54030s accepted 203.0.113.7 user=ann
55810s refused 203.0.113.7 user=ann attempt=63
55820s refused 203.0.113.7 user=ann attempt=64
55830s accepted 203.0.113.7 user=ann
57610s refused 203.0.113.7 user=ann attempt=65
57620s refused 203.0.113.7 user=ann attempt=66
57630s accepted 203.0.113.7 user=ann
59410s refused 203.0.113.7 user=ann attempt=67
59420s refused 203.0.113.7 user=ann attempt=68
59430s accepted 203.0.113.7 user=ann
61210s refused 203.0.113.7 user=ann attempt=69
61220s refused 203.0.113.7 user=ann attempt=70
61230s accepted 203.0.113.7 user=ann
63010s refused 203.0.113.7 user=ann attempt=71
63020s refused 203.0.113.7 user=ann attempt=72
63030s accepted 203.0.113.7 user=ann
64810s refused 203.0.113.7 user=ann attempt=73
64820s refused 203.0.113.7 user=ann attempt=74
64830s accepted 203.0.113.7 user=ann
66610s refused 203.0.113.7 user=ann attempt=75
66620s refused 203.0.113.7 user=ann attempt=76
66630s accepted 203.0.113.7 user=ann
68410s refused 203.0.113.7 user=ann attempt=77
68420s refused 203.0.113.7 user=ann attempt=78
68430s accepted 203.0.113.7 user=ann
70210s refused 203.0.113.7 user=ann attempt=79
70220s refused 203.0.113.7 user=ann attempt=80
70230s accepted 203.0.113.7 user=ann
