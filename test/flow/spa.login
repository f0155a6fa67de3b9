# a page whose token ends every fifteen minutes: sixteen questions at once are refused, then it gets a new one, for a day
0s x16 every=50ms weak 198.51.100.20 service=nginx
2s accepted 198.51.100.20 service=nginx
900s x16 every=50ms weak 198.51.100.20 service=nginx
902s accepted 198.51.100.20 service=nginx
1800s x16 every=50ms weak 198.51.100.20 service=nginx
1802s accepted 198.51.100.20 service=nginx
2700s x16 every=50ms weak 198.51.100.20 service=nginx
2702s accepted 198.51.100.20 service=nginx
3600s x16 every=50ms weak 198.51.100.20 service=nginx
3602s accepted 198.51.100.20 service=nginx
4500s x16 every=50ms weak 198.51.100.20 service=nginx
4502s accepted 198.51.100.20 service=nginx
5400s x16 every=50ms weak 198.51.100.20 service=nginx
5402s accepted 198.51.100.20 service=nginx
6300s x16 every=50ms weak 198.51.100.20 service=nginx
6302s accepted 198.51.100.20 service=nginx
7200s x16 every=50ms weak 198.51.100.20 service=nginx
7202s accepted 198.51.100.20 service=nginx
8100s x16 every=50ms weak 198.51.100.20 service=nginx
8102s accepted 198.51.100.20 service=nginx
9000s x16 every=50ms weak 198.51.100.20 service=nginx
9002s accepted 198.51.100.20 service=nginx
9900s x16 every=50ms weak 198.51.100.20 service=nginx
9902s accepted 198.51.100.20 service=nginx
10800s x16 every=50ms weak 198.51.100.20 service=nginx
10802s accepted 198.51.100.20 service=nginx
11700s x16 every=50ms weak 198.51.100.20 service=nginx
11702s accepted 198.51.100.20 service=nginx
12600s x16 every=50ms weak 198.51.100.20 service=nginx
12602s accepted 198.51.100.20 service=nginx
13500s x16 every=50ms weak 198.51.100.20 service=nginx
13502s accepted 198.51.100.20 service=nginx
14400s x16 every=50ms weak 198.51.100.20 service=nginx
14402s accepted 198.51.100.20 service=nginx
15300s x16 every=50ms weak 198.51.100.20 service=nginx
15302s accepted 198.51.100.20 service=nginx
16200s x16 every=50ms weak 198.51.100.20 service=nginx
16202s accepted 198.51.100.20 service=nginx
17100s x16 every=50ms weak 198.51.100.20 service=nginx
17102s accepted 198.51.100.20 service=nginx
18000s x16 every=50ms weak 198.51.100.20 service=nginx
18002s accepted 198.51.100.20 service=nginx
18900s x16 every=50ms weak 198.51.100.20 service=nginx
18902s accepted 198.51.100.20 service=nginx
19800s x16 every=50ms weak 198.51.100.20 service=nginx
19802s accepted 198.51.100.20 service=nginx
20700s x16 every=50ms weak 198.51.100.20 service=nginx
20702s accepted 198.51.100.20 service=nginx
21600s x16 every=50ms weak 198.51.100.20 service=nginx
21602s accepted 198.51.100.20 service=nginx
22500s x16 every=50ms weak 198.51.100.20 service=nginx
22502s accepted 198.51.100.20 service=nginx
23400s x16 every=50ms weak 198.51.100.20 service=nginx
23402s accepted 198.51.100.20 service=nginx
24300s x16 every=50ms weak 198.51.100.20 service=nginx
24302s accepted 198.51.100.20 service=nginx
25200s x16 every=50ms weak 198.51.100.20 service=nginx
25202s accepted 198.51.100.20 service=nginx
26100s x16 every=50ms weak 198.51.100.20 service=nginx
26102s accepted 198.51.100.20 service=nginx
27000s x16 every=50ms weak 198.51.100.20 service=nginx
27002s accepted 198.51.100.20 service=nginx
27900s x16 every=50ms weak 198.51.100.20 service=nginx
27902s accepted 198.51.100.20 service=nginx
28800s x16 every=50ms weak 198.51.100.20 service=nginx
28802s accepted 198.51.100.20 service=nginx
29700s x16 every=50ms weak 198.51.100.20 service=nginx
29702s accepted 198.51.100.20 service=nginx
30600s x16 every=50ms weak 198.51.100.20 service=nginx
30602s accepted 198.51.100.20 service=nginx
31500s x16 every=50ms weak 198.51.100.20 service=nginx
31502s accepted 198.51.100.20 service=nginx
32400s x16 every=50ms weak 198.51.100.20 service=nginx
32402s accepted 198.51.100.20 service=nginx
33300s x16 every=50ms weak 198.51.100.20 service=nginx
33302s accepted 198.51.100.20 service=nginx
34200s x16 every=50ms weak 198.51.100.20 service=nginx
34202s accepted 198.51.100.20 service=nginx
35100s x16 every=50ms weak 198.51.100.20 service=nginx
35102s accepted 198.51.100.20 service=nginx
36000s x16 every=50ms weak 198.51.100.20 service=nginx
36002s accepted 198.51.100.20 service=nginx
36900s x16 every=50ms weak 198.51.100.20 service=nginx
36902s accepted 198.51.100.20 service=nginx
37800s x16 every=50ms weak 198.51.100.20 service=nginx
37802s accepted 198.51.100.20 service=nginx
38700s x16 every=50ms weak 198.51.100.20 service=nginx
38702s accepted 198.51.100.20 service=nginx
39600s x16 every=50ms weak 198.51.100.20 service=nginx
39602s accepted 198.51.100.20 service=nginx
40500s x16 every=50ms weak 198.51.100.20 service=nginx
40502s accepted 198.51.100.20 service=nginx
41400s x16 every=50ms weak 198.51.100.20 service=nginx
41402s accepted 198.51.100.20 service=nginx
42300s x16 every=50ms weak 198.51.100.20 service=nginx
42302s accepted 198.51.100.20 service=nginx
43200s x16 every=50ms weak 198.51.100.20 service=nginx
43202s accepted 198.51.100.20 service=nginx
44100s x16 every=50ms weak 198.51.100.20 service=nginx
44102s accepted 198.51.100.20 service=nginx
45000s x16 every=50ms weak 198.51.100.20 service=nginx
45002s accepted 198.51.100.20 service=nginx
45900s x16 every=50ms weak 198.51.100.20 service=nginx
45902s accepted 198.51.100.20 service=nginx
46800s x16 every=50ms weak 198.51.100.20 service=nginx
46802s accepted 198.51.100.20 service=nginx
47700s x16 every=50ms weak 198.51.100.20 service=nginx
47702s accepted 198.51.100.20 service=nginx
48600s x16 every=50ms weak 198.51.100.20 service=nginx
48602s accepted 198.51.100.20 service=nginx
49500s x16 every=50ms weak 198.51.100.20 service=nginx
49502s accepted 198.51.100.20 service=nginx
50400s x16 every=50ms weak 198.51.100.20 service=nginx
50402s accepted 198.51.100.20 service=nginx
51300s x16 every=50ms weak 198.51.100.20 service=nginx
51302s accepted 198.51.100.20 service=nginx
52200s x16 every=50ms weak 198.51.100.20 service=nginx
52202s accepted 198.51.100.20 service=nginx
53100s x16 every=50ms weak 198.51.100.20 service=nginx
53102s accepted 198.51.100.20 service=nginx
54000s x16 every=50ms weak 198.51.100.20 service=nginx
54002s accepted 198.51.100.20 service=nginx
54900s x16 every=50ms weak 198.51.100.20 service=nginx
54902s accepted 198.51.100.20 service=nginx
55800s x16 every=50ms weak 198.51.100.20 service=nginx
55802s accepted 198.51.100.20 service=nginx
56700s x16 every=50ms weak 198.51.100.20 service=nginx
56702s accepted 198.51.100.20 service=nginx
57600s x16 every=50ms weak 198.51.100.20 service=nginx
57602s accepted 198.51.100.20 service=nginx
58500s x16 every=50ms weak 198.51.100.20 service=nginx
58502s accepted 198.51.100.20 service=nginx
59400s x16 every=50ms weak 198.51.100.20 service=nginx
59402s accepted 198.51.100.20 service=nginx
60300s x16 every=50ms weak 198.51.100.20 service=nginx
60302s accepted 198.51.100.20 service=nginx
61200s x16 every=50ms weak 198.51.100.20 service=nginx
61202s accepted 198.51.100.20 service=nginx
62100s x16 every=50ms weak 198.51.100.20 service=nginx
62102s accepted 198.51.100.20 service=nginx
63000s x16 every=50ms weak 198.51.100.20 service=nginx
63002s accepted 198.51.100.20 service=nginx
63900s x16 every=50ms weak 198.51.100.20 service=nginx
63902s accepted 198.51.100.20 service=nginx
64800s x16 every=50ms weak 198.51.100.20 service=nginx
64802s accepted 198.51.100.20 service=nginx
65700s x16 every=50ms weak 198.51.100.20 service=nginx
65702s accepted 198.51.100.20 service=nginx
66600s x16 every=50ms weak 198.51.100.20 service=nginx
66602s accepted 198.51.100.20 service=nginx
67500s x16 every=50ms weak 198.51.100.20 service=nginx
67502s accepted 198.51.100.20 service=nginx
68400s x16 every=50ms weak 198.51.100.20 service=nginx
68402s accepted 198.51.100.20 service=nginx
69300s x16 every=50ms weak 198.51.100.20 service=nginx
69302s accepted 198.51.100.20 service=nginx
70200s x16 every=50ms weak 198.51.100.20 service=nginx
70202s accepted 198.51.100.20 service=nginx
71100s x16 every=50ms weak 198.51.100.20 service=nginx
71102s accepted 198.51.100.20 service=nginx
72000s x16 every=50ms weak 198.51.100.20 service=nginx
72002s accepted 198.51.100.20 service=nginx
72900s x16 every=50ms weak 198.51.100.20 service=nginx
72902s accepted 198.51.100.20 service=nginx
73800s x16 every=50ms weak 198.51.100.20 service=nginx
73802s accepted 198.51.100.20 service=nginx
74700s x16 every=50ms weak 198.51.100.20 service=nginx
74702s accepted 198.51.100.20 service=nginx
75600s x16 every=50ms weak 198.51.100.20 service=nginx
75602s accepted 198.51.100.20 service=nginx
76500s x16 every=50ms weak 198.51.100.20 service=nginx
76502s accepted 198.51.100.20 service=nginx
77400s x16 every=50ms weak 198.51.100.20 service=nginx
77402s accepted 198.51.100.20 service=nginx
78300s x16 every=50ms weak 198.51.100.20 service=nginx
78302s accepted 198.51.100.20 service=nginx
79200s x16 every=50ms weak 198.51.100.20 service=nginx
79202s accepted 198.51.100.20 service=nginx
80100s x16 every=50ms weak 198.51.100.20 service=nginx
80102s accepted 198.51.100.20 service=nginx
81000s x16 every=50ms weak 198.51.100.20 service=nginx
81002s accepted 198.51.100.20 service=nginx
81900s x16 every=50ms weak 198.51.100.20 service=nginx
81902s accepted 198.51.100.20 service=nginx
82800s x16 every=50ms weak 198.51.100.20 service=nginx
82802s accepted 198.51.100.20 service=nginx
83700s x16 every=50ms weak 198.51.100.20 service=nginx
83702s accepted 198.51.100.20 service=nginx
84600s x16 every=50ms weak 198.51.100.20 service=nginx
84602s accepted 198.51.100.20 service=nginx
85500s x16 every=50ms weak 198.51.100.20 service=nginx
85502s accepted 198.51.100.20 service=nginx
