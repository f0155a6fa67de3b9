# five people behind one address: a browser asks without a password first
11s x3 every=100ms weak 198.51.100.9 service=nginx
12s accepted 198.51.100.9 service=nginx user=ann
108s x3 every=100ms weak 198.51.100.9 service=nginx
109s accepted 198.51.100.9 service=nginx user=bob
205s x3 every=100ms weak 198.51.100.9 service=nginx
206s accepted 198.51.100.9 service=nginx user=cem
302s x3 every=100ms weak 198.51.100.9 service=nginx
303s accepted 198.51.100.9 service=nginx user=dov
399s x3 every=100ms weak 198.51.100.9 service=nginx
400s accepted 198.51.100.9 service=nginx user=eva
611s x3 every=100ms weak 198.51.100.9 service=nginx
612s accepted 198.51.100.9 service=nginx user=ann
708s x3 every=100ms weak 198.51.100.9 service=nginx
709s accepted 198.51.100.9 service=nginx user=bob
805s x3 every=100ms weak 198.51.100.9 service=nginx
806s accepted 198.51.100.9 service=nginx user=cem
902s x3 every=100ms weak 198.51.100.9 service=nginx
903s accepted 198.51.100.9 service=nginx user=dov
999s x3 every=100ms weak 198.51.100.9 service=nginx
1000s accepted 198.51.100.9 service=nginx user=eva
1211s x3 every=100ms weak 198.51.100.9 service=nginx
1212s accepted 198.51.100.9 service=nginx user=ann
1308s x3 every=100ms weak 198.51.100.9 service=nginx
1309s accepted 198.51.100.9 service=nginx user=bob
1405s x3 every=100ms weak 198.51.100.9 service=nginx
1406s accepted 198.51.100.9 service=nginx user=cem
1502s x3 every=100ms weak 198.51.100.9 service=nginx
1503s accepted 198.51.100.9 service=nginx user=dov
1599s x3 every=100ms weak 198.51.100.9 service=nginx
1600s accepted 198.51.100.9 service=nginx user=eva
1811s x3 every=100ms weak 198.51.100.9 service=nginx
1812s accepted 198.51.100.9 service=nginx user=ann
1908s x3 every=100ms weak 198.51.100.9 service=nginx
1909s accepted 198.51.100.9 service=nginx user=bob
2005s x3 every=100ms weak 198.51.100.9 service=nginx
2006s accepted 198.51.100.9 service=nginx user=cem
2102s x3 every=100ms weak 198.51.100.9 service=nginx
2103s accepted 198.51.100.9 service=nginx user=dov
2199s x3 every=100ms weak 198.51.100.9 service=nginx
2200s accepted 198.51.100.9 service=nginx user=eva
2411s x3 every=100ms weak 198.51.100.9 service=nginx
2412s accepted 198.51.100.9 service=nginx user=ann
2508s x3 every=100ms weak 198.51.100.9 service=nginx
2509s accepted 198.51.100.9 service=nginx user=bob
2605s x3 every=100ms weak 198.51.100.9 service=nginx
2606s accepted 198.51.100.9 service=nginx user=cem
2702s x3 every=100ms weak 198.51.100.9 service=nginx
2703s accepted 198.51.100.9 service=nginx user=dov
2799s x3 every=100ms weak 198.51.100.9 service=nginx
2800s accepted 198.51.100.9 service=nginx user=eva
3011s x3 every=100ms weak 198.51.100.9 service=nginx
3012s accepted 198.51.100.9 service=nginx user=ann
3108s x3 every=100ms weak 198.51.100.9 service=nginx
3109s accepted 198.51.100.9 service=nginx user=bob
3205s x3 every=100ms weak 198.51.100.9 service=nginx
3206s accepted 198.51.100.9 service=nginx user=cem
3302s x3 every=100ms weak 198.51.100.9 service=nginx
3303s accepted 198.51.100.9 service=nginx user=dov
3399s x3 every=100ms weak 198.51.100.9 service=nginx
3400s accepted 198.51.100.9 service=nginx user=eva
3611s x3 every=100ms weak 198.51.100.9 service=nginx
3612s accepted 198.51.100.9 service=nginx user=ann
3708s x3 every=100ms weak 198.51.100.9 service=nginx
3709s accepted 198.51.100.9 service=nginx user=bob
3805s x3 every=100ms weak 198.51.100.9 service=nginx
3806s accepted 198.51.100.9 service=nginx user=cem
3902s x3 every=100ms weak 198.51.100.9 service=nginx
3903s accepted 198.51.100.9 service=nginx user=dov
3999s x3 every=100ms weak 198.51.100.9 service=nginx
4000s accepted 198.51.100.9 service=nginx user=eva
4211s x3 every=100ms weak 198.51.100.9 service=nginx
4212s accepted 198.51.100.9 service=nginx user=ann
4308s x3 every=100ms weak 198.51.100.9 service=nginx
4309s accepted 198.51.100.9 service=nginx user=bob
4405s x3 every=100ms weak 198.51.100.9 service=nginx
4406s accepted 198.51.100.9 service=nginx user=cem
4502s x3 every=100ms weak 198.51.100.9 service=nginx
4503s accepted 198.51.100.9 service=nginx user=dov
4599s x3 every=100ms weak 198.51.100.9 service=nginx
4600s accepted 198.51.100.9 service=nginx user=eva
4811s x3 every=100ms weak 198.51.100.9 service=nginx
4812s accepted 198.51.100.9 service=nginx user=ann
4908s x3 every=100ms weak 198.51.100.9 service=nginx
4909s accepted 198.51.100.9 service=nginx user=bob
5005s x3 every=100ms weak 198.51.100.9 service=nginx
5006s accepted 198.51.100.9 service=nginx user=cem
5102s x3 every=100ms weak 198.51.100.9 service=nginx
5103s accepted 198.51.100.9 service=nginx user=dov
5199s x3 every=100ms weak 198.51.100.9 service=nginx
5200s accepted 198.51.100.9 service=nginx user=eva
5411s x3 every=100ms weak 198.51.100.9 service=nginx
5412s accepted 198.51.100.9 service=nginx user=ann
5508s x3 every=100ms weak 198.51.100.9 service=nginx
5509s accepted 198.51.100.9 service=nginx user=bob
5605s x3 every=100ms weak 198.51.100.9 service=nginx
5606s accepted 198.51.100.9 service=nginx user=cem
5702s x3 every=100ms weak 198.51.100.9 service=nginx
5703s accepted 198.51.100.9 service=nginx user=dov
5799s x3 every=100ms weak 198.51.100.9 service=nginx
5800s accepted 198.51.100.9 service=nginx user=eva
6011s x3 every=100ms weak 198.51.100.9 service=nginx
6012s accepted 198.51.100.9 service=nginx user=ann
6108s x3 every=100ms weak 198.51.100.9 service=nginx
6109s accepted 198.51.100.9 service=nginx user=bob
6205s x3 every=100ms weak 198.51.100.9 service=nginx
6206s accepted 198.51.100.9 service=nginx user=cem
6302s x3 every=100ms weak 198.51.100.9 service=nginx
6303s accepted 198.51.100.9 service=nginx user=dov
6399s x3 every=100ms weak 198.51.100.9 service=nginx
6400s accepted 198.51.100.9 service=nginx user=eva
6611s x3 every=100ms weak 198.51.100.9 service=nginx
6612s accepted 198.51.100.9 service=nginx user=ann
6708s x3 every=100ms weak 198.51.100.9 service=nginx
6709s accepted 198.51.100.9 service=nginx user=bob
6805s x3 every=100ms weak 198.51.100.9 service=nginx
6806s accepted 198.51.100.9 service=nginx user=cem
6902s x3 every=100ms weak 198.51.100.9 service=nginx
6903s accepted 198.51.100.9 service=nginx user=dov
6999s x3 every=100ms weak 198.51.100.9 service=nginx
7000s accepted 198.51.100.9 service=nginx user=eva
7211s x3 every=100ms weak 198.51.100.9 service=nginx
7212s accepted 198.51.100.9 service=nginx user=ann
7308s x3 every=100ms weak 198.51.100.9 service=nginx
7309s accepted 198.51.100.9 service=nginx user=bob
7405s x3 every=100ms weak 198.51.100.9 service=nginx
7406s accepted 198.51.100.9 service=nginx user=cem
7502s x3 every=100ms weak 198.51.100.9 service=nginx
7503s accepted 198.51.100.9 service=nginx user=dov
7599s x3 every=100ms weak 198.51.100.9 service=nginx
7600s accepted 198.51.100.9 service=nginx user=eva
7811s x3 every=100ms weak 198.51.100.9 service=nginx
7812s accepted 198.51.100.9 service=nginx user=ann
7908s x3 every=100ms weak 198.51.100.9 service=nginx
7909s accepted 198.51.100.9 service=nginx user=bob
8005s x3 every=100ms weak 198.51.100.9 service=nginx
8006s accepted 198.51.100.9 service=nginx user=cem
8102s x3 every=100ms weak 198.51.100.9 service=nginx
8103s accepted 198.51.100.9 service=nginx user=dov
8199s x3 every=100ms weak 198.51.100.9 service=nginx
8200s accepted 198.51.100.9 service=nginx user=eva
8411s x3 every=100ms weak 198.51.100.9 service=nginx
8412s accepted 198.51.100.9 service=nginx user=ann
8508s x3 every=100ms weak 198.51.100.9 service=nginx
8509s accepted 198.51.100.9 service=nginx user=bob
8605s x3 every=100ms weak 198.51.100.9 service=nginx
8606s accepted 198.51.100.9 service=nginx user=cem
8702s x3 every=100ms weak 198.51.100.9 service=nginx
8703s accepted 198.51.100.9 service=nginx user=dov
8799s x3 every=100ms weak 198.51.100.9 service=nginx
8800s accepted 198.51.100.9 service=nginx user=eva
9011s x3 every=100ms weak 198.51.100.9 service=nginx
9012s accepted 198.51.100.9 service=nginx user=ann
9108s x3 every=100ms weak 198.51.100.9 service=nginx
9109s accepted 198.51.100.9 service=nginx user=bob
9205s x3 every=100ms weak 198.51.100.9 service=nginx
9206s accepted 198.51.100.9 service=nginx user=cem
9302s x3 every=100ms weak 198.51.100.9 service=nginx
9303s accepted 198.51.100.9 service=nginx user=dov
9399s x3 every=100ms weak 198.51.100.9 service=nginx
9400s accepted 198.51.100.9 service=nginx user=eva
9611s x3 every=100ms weak 198.51.100.9 service=nginx
9612s accepted 198.51.100.9 service=nginx user=ann
9708s x3 every=100ms weak 198.51.100.9 service=nginx
9709s accepted 198.51.100.9 service=nginx user=bob
9805s x3 every=100ms weak 198.51.100.9 service=nginx
9806s accepted 198.51.100.9 service=nginx user=cem
9902s x3 every=100ms weak 198.51.100.9 service=nginx
9903s accepted 198.51.100.9 service=nginx user=dov
9999s x3 every=100ms weak 198.51.100.9 service=nginx
10000s accepted 198.51.100.9 service=nginx user=eva
10211s x3 every=100ms weak 198.51.100.9 service=nginx
10212s accepted 198.51.100.9 service=nginx user=ann
10308s x3 every=100ms weak 198.51.100.9 service=nginx
10309s accepted 198.51.100.9 service=nginx user=bob
10405s x3 every=100ms weak 198.51.100.9 service=nginx
10406s accepted 198.51.100.9 service=nginx user=cem
10502s x3 every=100ms weak 198.51.100.9 service=nginx
10503s accepted 198.51.100.9 service=nginx user=dov
10599s x3 every=100ms weak 198.51.100.9 service=nginx
10600s accepted 198.51.100.9 service=nginx user=eva
10811s x3 every=100ms weak 198.51.100.9 service=nginx
10812s accepted 198.51.100.9 service=nginx user=ann
10908s x3 every=100ms weak 198.51.100.9 service=nginx
10909s accepted 198.51.100.9 service=nginx user=bob
11005s x3 every=100ms weak 198.51.100.9 service=nginx
11006s accepted 198.51.100.9 service=nginx user=cem
11102s x3 every=100ms weak 198.51.100.9 service=nginx
11103s accepted 198.51.100.9 service=nginx user=dov
11199s x3 every=100ms weak 198.51.100.9 service=nginx
11200s accepted 198.51.100.9 service=nginx user=eva
11411s x3 every=100ms weak 198.51.100.9 service=nginx
11412s accepted 198.51.100.9 service=nginx user=ann
11508s x3 every=100ms weak 198.51.100.9 service=nginx
11509s accepted 198.51.100.9 service=nginx user=bob
11605s x3 every=100ms weak 198.51.100.9 service=nginx
11606s accepted 198.51.100.9 service=nginx user=cem
11702s x3 every=100ms weak 198.51.100.9 service=nginx
11703s accepted 198.51.100.9 service=nginx user=dov
11799s x3 every=100ms weak 198.51.100.9 service=nginx
11800s accepted 198.51.100.9 service=nginx user=eva
12011s x3 every=100ms weak 198.51.100.9 service=nginx
12012s accepted 198.51.100.9 service=nginx user=ann
12108s x3 every=100ms weak 198.51.100.9 service=nginx
12109s accepted 198.51.100.9 service=nginx user=bob
12205s x3 every=100ms weak 198.51.100.9 service=nginx
12206s accepted 198.51.100.9 service=nginx user=cem
12302s x3 every=100ms weak 198.51.100.9 service=nginx
12303s accepted 198.51.100.9 service=nginx user=dov
12399s x3 every=100ms weak 198.51.100.9 service=nginx
12400s accepted 198.51.100.9 service=nginx user=eva
12611s x3 every=100ms weak 198.51.100.9 service=nginx
12612s accepted 198.51.100.9 service=nginx user=ann
12708s x3 every=100ms weak 198.51.100.9 service=nginx
12709s accepted 198.51.100.9 service=nginx user=bob
12805s x3 every=100ms weak 198.51.100.9 service=nginx
12806s accepted 198.51.100.9 service=nginx user=cem
12902s x3 every=100ms weak 198.51.100.9 service=nginx
12903s accepted 198.51.100.9 service=nginx user=dov
12999s x3 every=100ms weak 198.51.100.9 service=nginx
13000s accepted 198.51.100.9 service=nginx user=eva
13211s x3 every=100ms weak 198.51.100.9 service=nginx
13212s accepted 198.51.100.9 service=nginx user=ann
13308s x3 every=100ms weak 198.51.100.9 service=nginx
13309s accepted 198.51.100.9 service=nginx user=bob
13405s x3 every=100ms weak 198.51.100.9 service=nginx
13406s accepted 198.51.100.9 service=nginx user=cem
13502s x3 every=100ms weak 198.51.100.9 service=nginx
13503s accepted 198.51.100.9 service=nginx user=dov
13599s x3 every=100ms weak 198.51.100.9 service=nginx
13600s accepted 198.51.100.9 service=nginx user=eva
13811s x3 every=100ms weak 198.51.100.9 service=nginx
13812s accepted 198.51.100.9 service=nginx user=ann
13908s x3 every=100ms weak 198.51.100.9 service=nginx
13909s accepted 198.51.100.9 service=nginx user=bob
14005s x3 every=100ms weak 198.51.100.9 service=nginx
14006s accepted 198.51.100.9 service=nginx user=cem
14102s x3 every=100ms weak 198.51.100.9 service=nginx
14103s accepted 198.51.100.9 service=nginx user=dov
14199s x3 every=100ms weak 198.51.100.9 service=nginx
14200s accepted 198.51.100.9 service=nginx user=eva
14411s x3 every=100ms weak 198.51.100.9 service=nginx
14412s accepted 198.51.100.9 service=nginx user=ann
14508s x3 every=100ms weak 198.51.100.9 service=nginx
14509s accepted 198.51.100.9 service=nginx user=bob
14605s x3 every=100ms weak 198.51.100.9 service=nginx
14606s accepted 198.51.100.9 service=nginx user=cem
14702s x3 every=100ms weak 198.51.100.9 service=nginx
14703s accepted 198.51.100.9 service=nginx user=dov
14799s x3 every=100ms weak 198.51.100.9 service=nginx
14800s accepted 198.51.100.9 service=nginx user=eva
15011s x3 every=100ms weak 198.51.100.9 service=nginx
15012s accepted 198.51.100.9 service=nginx user=ann
15108s x3 every=100ms weak 198.51.100.9 service=nginx
15109s accepted 198.51.100.9 service=nginx user=bob
15205s x3 every=100ms weak 198.51.100.9 service=nginx
15206s accepted 198.51.100.9 service=nginx user=cem
15302s x3 every=100ms weak 198.51.100.9 service=nginx
15303s accepted 198.51.100.9 service=nginx user=dov
15399s x3 every=100ms weak 198.51.100.9 service=nginx
15400s accepted 198.51.100.9 service=nginx user=eva
15611s x3 every=100ms weak 198.51.100.9 service=nginx
15612s accepted 198.51.100.9 service=nginx user=ann
15708s x3 every=100ms weak 198.51.100.9 service=nginx
15709s accepted 198.51.100.9 service=nginx user=bob
15805s x3 every=100ms weak 198.51.100.9 service=nginx
15806s accepted 198.51.100.9 service=nginx user=cem
15902s x3 every=100ms weak 198.51.100.9 service=nginx
15903s accepted 198.51.100.9 service=nginx user=dov
15999s x3 every=100ms weak 198.51.100.9 service=nginx
16000s accepted 198.51.100.9 service=nginx user=eva
16211s x3 every=100ms weak 198.51.100.9 service=nginx
16212s accepted 198.51.100.9 service=nginx user=ann
16308s x3 every=100ms weak 198.51.100.9 service=nginx
16309s accepted 198.51.100.9 service=nginx user=bob
16405s x3 every=100ms weak 198.51.100.9 service=nginx
16406s accepted 198.51.100.9 service=nginx user=cem
16502s x3 every=100ms weak 198.51.100.9 service=nginx
16503s accepted 198.51.100.9 service=nginx user=dov
16599s x3 every=100ms weak 198.51.100.9 service=nginx
16600s accepted 198.51.100.9 service=nginx user=eva
16811s x3 every=100ms weak 198.51.100.9 service=nginx
16812s accepted 198.51.100.9 service=nginx user=ann
16908s x3 every=100ms weak 198.51.100.9 service=nginx
16909s accepted 198.51.100.9 service=nginx user=bob
17005s x3 every=100ms weak 198.51.100.9 service=nginx
17006s accepted 198.51.100.9 service=nginx user=cem
17102s x3 every=100ms weak 198.51.100.9 service=nginx
17103s accepted 198.51.100.9 service=nginx user=dov
17199s x3 every=100ms weak 198.51.100.9 service=nginx
17200s accepted 198.51.100.9 service=nginx user=eva
17411s x3 every=100ms weak 198.51.100.9 service=nginx
17412s accepted 198.51.100.9 service=nginx user=ann
17508s x3 every=100ms weak 198.51.100.9 service=nginx
17509s accepted 198.51.100.9 service=nginx user=bob
17605s x3 every=100ms weak 198.51.100.9 service=nginx
17606s accepted 198.51.100.9 service=nginx user=cem
17702s x3 every=100ms weak 198.51.100.9 service=nginx
17703s accepted 198.51.100.9 service=nginx user=dov
17799s x3 every=100ms weak 198.51.100.9 service=nginx
17800s accepted 198.51.100.9 service=nginx user=eva
18011s x3 every=100ms weak 198.51.100.9 service=nginx
18012s accepted 198.51.100.9 service=nginx user=ann
18108s x3 every=100ms weak 198.51.100.9 service=nginx
18109s accepted 198.51.100.9 service=nginx user=bob
18205s x3 every=100ms weak 198.51.100.9 service=nginx
18206s accepted 198.51.100.9 service=nginx user=cem
18302s x3 every=100ms weak 198.51.100.9 service=nginx
18303s accepted 198.51.100.9 service=nginx user=dov
18399s x3 every=100ms weak 198.51.100.9 service=nginx
18400s accepted 198.51.100.9 service=nginx user=eva
18611s x3 every=100ms weak 198.51.100.9 service=nginx
18612s accepted 198.51.100.9 service=nginx user=ann
18708s x3 every=100ms weak 198.51.100.9 service=nginx
18709s accepted 198.51.100.9 service=nginx user=bob
18805s x3 every=100ms weak 198.51.100.9 service=nginx
18806s accepted 198.51.100.9 service=nginx user=cem
18902s x3 every=100ms weak 198.51.100.9 service=nginx
18903s accepted 198.51.100.9 service=nginx user=dov
18999s x3 every=100ms weak 198.51.100.9 service=nginx
19000s accepted 198.51.100.9 service=nginx user=eva
19211s x3 every=100ms weak 198.51.100.9 service=nginx
19212s accepted 198.51.100.9 service=nginx user=ann
19308s x3 every=100ms weak 198.51.100.9 service=nginx
19309s accepted 198.51.100.9 service=nginx user=bob
19405s x3 every=100ms weak 198.51.100.9 service=nginx
19406s accepted 198.51.100.9 service=nginx user=cem
19502s x3 every=100ms weak 198.51.100.9 service=nginx
19503s accepted 198.51.100.9 service=nginx user=dov
19599s x3 every=100ms weak 198.51.100.9 service=nginx
19600s accepted 198.51.100.9 service=nginx user=eva
19811s x3 every=100ms weak 198.51.100.9 service=nginx
19812s accepted 198.51.100.9 service=nginx user=ann
19908s x3 every=100ms weak 198.51.100.9 service=nginx
19909s accepted 198.51.100.9 service=nginx user=bob
20005s x3 every=100ms weak 198.51.100.9 service=nginx
20006s accepted 198.51.100.9 service=nginx user=cem
20102s x3 every=100ms weak 198.51.100.9 service=nginx
20103s accepted 198.51.100.9 service=nginx user=dov
20199s x3 every=100ms weak 198.51.100.9 service=nginx
20200s accepted 198.51.100.9 service=nginx user=eva
20411s x3 every=100ms weak 198.51.100.9 service=nginx
20412s accepted 198.51.100.9 service=nginx user=ann
20508s x3 every=100ms weak 198.51.100.9 service=nginx
20509s accepted 198.51.100.9 service=nginx user=bob
20605s x3 every=100ms weak 198.51.100.9 service=nginx
20606s accepted 198.51.100.9 service=nginx user=cem
20702s x3 every=100ms weak 198.51.100.9 service=nginx
20703s accepted 198.51.100.9 service=nginx user=dov
20799s x3 every=100ms weak 198.51.100.9 service=nginx
20800s accepted 198.51.100.9 service=nginx user=eva
21011s x3 every=100ms weak 198.51.100.9 service=nginx
21012s accepted 198.51.100.9 service=nginx user=ann
21108s x3 every=100ms weak 198.51.100.9 service=nginx
21109s accepted 198.51.100.9 service=nginx user=bob
21205s x3 every=100ms weak 198.51.100.9 service=nginx
21206s accepted 198.51.100.9 service=nginx user=cem
21302s x3 every=100ms weak 198.51.100.9 service=nginx
21303s accepted 198.51.100.9 service=nginx user=dov
21399s x3 every=100ms weak 198.51.100.9 service=nginx
21400s accepted 198.51.100.9 service=nginx user=eva
21611s x3 every=100ms weak 198.51.100.9 service=nginx
21612s accepted 198.51.100.9 service=nginx user=ann
21708s x3 every=100ms weak 198.51.100.9 service=nginx
21709s accepted 198.51.100.9 service=nginx user=bob
21805s x3 every=100ms weak 198.51.100.9 service=nginx
21806s accepted 198.51.100.9 service=nginx user=cem
21902s x3 every=100ms weak 198.51.100.9 service=nginx
21903s accepted 198.51.100.9 service=nginx user=dov
21999s x3 every=100ms weak 198.51.100.9 service=nginx
22000s accepted 198.51.100.9 service=nginx user=eva
22211s x3 every=100ms weak 198.51.100.9 service=nginx
22212s accepted 198.51.100.9 service=nginx user=ann
22308s x3 every=100ms weak 198.51.100.9 service=nginx
22309s accepted 198.51.100.9 service=nginx user=bob
22405s x3 every=100ms weak 198.51.100.9 service=nginx
22406s accepted 198.51.100.9 service=nginx user=cem
22502s x3 every=100ms weak 198.51.100.9 service=nginx
22503s accepted 198.51.100.9 service=nginx user=dov
22599s x3 every=100ms weak 198.51.100.9 service=nginx
22600s accepted 198.51.100.9 service=nginx user=eva
22811s x3 every=100ms weak 198.51.100.9 service=nginx
22812s accepted 198.51.100.9 service=nginx user=ann
22908s x3 every=100ms weak 198.51.100.9 service=nginx
22909s accepted 198.51.100.9 service=nginx user=bob
23005s x3 every=100ms weak 198.51.100.9 service=nginx
23006s accepted 198.51.100.9 service=nginx user=cem
23102s x3 every=100ms weak 198.51.100.9 service=nginx
23103s accepted 198.51.100.9 service=nginx user=dov
23199s x3 every=100ms weak 198.51.100.9 service=nginx
23200s accepted 198.51.100.9 service=nginx user=eva
23411s x3 every=100ms weak 198.51.100.9 service=nginx
23412s accepted 198.51.100.9 service=nginx user=ann
23508s x3 every=100ms weak 198.51.100.9 service=nginx
23509s accepted 198.51.100.9 service=nginx user=bob
23605s x3 every=100ms weak 198.51.100.9 service=nginx
23606s accepted 198.51.100.9 service=nginx user=cem
23702s x3 every=100ms weak 198.51.100.9 service=nginx
23703s accepted 198.51.100.9 service=nginx user=dov
23799s x3 every=100ms weak 198.51.100.9 service=nginx
23800s accepted 198.51.100.9 service=nginx user=eva
24011s x3 every=100ms weak 198.51.100.9 service=nginx
24012s accepted 198.51.100.9 service=nginx user=ann
24108s x3 every=100ms weak 198.51.100.9 service=nginx
24109s accepted 198.51.100.9 service=nginx user=bob
24205s x3 every=100ms weak 198.51.100.9 service=nginx
24206s accepted 198.51.100.9 service=nginx user=cem
24302s x3 every=100ms weak 198.51.100.9 service=nginx
24303s accepted 198.51.100.9 service=nginx user=dov
24399s x3 every=100ms weak 198.51.100.9 service=nginx
24400s accepted 198.51.100.9 service=nginx user=eva
24611s x3 every=100ms weak 198.51.100.9 service=nginx
24612s accepted 198.51.100.9 service=nginx user=ann
24708s x3 every=100ms weak 198.51.100.9 service=nginx
24709s accepted 198.51.100.9 service=nginx user=bob
24805s x3 every=100ms weak 198.51.100.9 service=nginx
24806s accepted 198.51.100.9 service=nginx user=cem
24902s x3 every=100ms weak 198.51.100.9 service=nginx
24903s accepted 198.51.100.9 service=nginx user=dov
24999s x3 every=100ms weak 198.51.100.9 service=nginx
25000s accepted 198.51.100.9 service=nginx user=eva
25211s x3 every=100ms weak 198.51.100.9 service=nginx
25212s accepted 198.51.100.9 service=nginx user=ann
25308s x3 every=100ms weak 198.51.100.9 service=nginx
25309s accepted 198.51.100.9 service=nginx user=bob
25405s x3 every=100ms weak 198.51.100.9 service=nginx
25406s accepted 198.51.100.9 service=nginx user=cem
25502s x3 every=100ms weak 198.51.100.9 service=nginx
25503s accepted 198.51.100.9 service=nginx user=dov
25599s x3 every=100ms weak 198.51.100.9 service=nginx
25600s accepted 198.51.100.9 service=nginx user=eva
25811s x3 every=100ms weak 198.51.100.9 service=nginx
25812s accepted 198.51.100.9 service=nginx user=ann
25908s x3 every=100ms weak 198.51.100.9 service=nginx
25909s accepted 198.51.100.9 service=nginx user=bob
26005s x3 every=100ms weak 198.51.100.9 service=nginx
26006s accepted 198.51.100.9 service=nginx user=cem
26102s x3 every=100ms weak 198.51.100.9 service=nginx
26103s accepted 198.51.100.9 service=nginx user=dov
26199s x3 every=100ms weak 198.51.100.9 service=nginx
26200s accepted 198.51.100.9 service=nginx user=eva
26411s x3 every=100ms weak 198.51.100.9 service=nginx
26412s accepted 198.51.100.9 service=nginx user=ann
26508s x3 every=100ms weak 198.51.100.9 service=nginx
26509s accepted 198.51.100.9 service=nginx user=bob
26605s x3 every=100ms weak 198.51.100.9 service=nginx
26606s accepted 198.51.100.9 service=nginx user=cem
26702s x3 every=100ms weak 198.51.100.9 service=nginx
26703s accepted 198.51.100.9 service=nginx user=dov
26799s x3 every=100ms weak 198.51.100.9 service=nginx
26800s accepted 198.51.100.9 service=nginx user=eva
27011s x3 every=100ms weak 198.51.100.9 service=nginx
27012s accepted 198.51.100.9 service=nginx user=ann
27108s x3 every=100ms weak 198.51.100.9 service=nginx
27109s accepted 198.51.100.9 service=nginx user=bob
27205s x3 every=100ms weak 198.51.100.9 service=nginx
27206s accepted 198.51.100.9 service=nginx user=cem
27302s x3 every=100ms weak 198.51.100.9 service=nginx
27303s accepted 198.51.100.9 service=nginx user=dov
27399s x3 every=100ms weak 198.51.100.9 service=nginx
27400s accepted 198.51.100.9 service=nginx user=eva
27611s x3 every=100ms weak 198.51.100.9 service=nginx
27612s accepted 198.51.100.9 service=nginx user=ann
27708s x3 every=100ms weak 198.51.100.9 service=nginx
27709s accepted 198.51.100.9 service=nginx user=bob
27805s x3 every=100ms weak 198.51.100.9 service=nginx
27806s accepted 198.51.100.9 service=nginx user=cem
27902s x3 every=100ms weak 198.51.100.9 service=nginx
27903s accepted 198.51.100.9 service=nginx user=dov
27999s x3 every=100ms weak 198.51.100.9 service=nginx
28000s accepted 198.51.100.9 service=nginx user=eva
28211s x3 every=100ms weak 198.51.100.9 service=nginx
28212s accepted 198.51.100.9 service=nginx user=ann
28308s x3 every=100ms weak 198.51.100.9 service=nginx
28309s accepted 198.51.100.9 service=nginx user=bob
28405s x3 every=100ms weak 198.51.100.9 service=nginx
28406s accepted 198.51.100.9 service=nginx user=cem
28502s x3 every=100ms weak 198.51.100.9 service=nginx
28503s accepted 198.51.100.9 service=nginx user=dov
28599s x3 every=100ms weak 198.51.100.9 service=nginx
28600s accepted 198.51.100.9 service=nginx user=eva
28811s x3 every=100ms weak 198.51.100.9 service=nginx
28812s accepted 198.51.100.9 service=nginx user=ann
28908s x3 every=100ms weak 198.51.100.9 service=nginx
28909s accepted 198.51.100.9 service=nginx user=bob
29005s x3 every=100ms weak 198.51.100.9 service=nginx
29006s accepted 198.51.100.9 service=nginx user=cem
29102s x3 every=100ms weak 198.51.100.9 service=nginx
29103s accepted 198.51.100.9 service=nginx user=dov
29199s x3 every=100ms weak 198.51.100.9 service=nginx
29200s accepted 198.51.100.9 service=nginx user=eva
29411s x3 every=100ms weak 198.51.100.9 service=nginx
29412s accepted 198.51.100.9 service=nginx user=ann
29508s x3 every=100ms weak 198.51.100.9 service=nginx
29509s accepted 198.51.100.9 service=nginx user=bob
29605s x3 every=100ms weak 198.51.100.9 service=nginx
29606s accepted 198.51.100.9 service=nginx user=cem
29702s x3 every=100ms weak 198.51.100.9 service=nginx
29703s accepted 198.51.100.9 service=nginx user=dov
29799s x3 every=100ms weak 198.51.100.9 service=nginx
29800s accepted 198.51.100.9 service=nginx user=eva
30011s x3 every=100ms weak 198.51.100.9 service=nginx
30012s accepted 198.51.100.9 service=nginx user=ann
30108s x3 every=100ms weak 198.51.100.9 service=nginx
30109s accepted 198.51.100.9 service=nginx user=bob
30205s x3 every=100ms weak 198.51.100.9 service=nginx
30206s accepted 198.51.100.9 service=nginx user=cem
30302s x3 every=100ms weak 198.51.100.9 service=nginx
30303s accepted 198.51.100.9 service=nginx user=dov
30399s x3 every=100ms weak 198.51.100.9 service=nginx
30400s accepted 198.51.100.9 service=nginx user=eva
30611s x3 every=100ms weak 198.51.100.9 service=nginx
30612s accepted 198.51.100.9 service=nginx user=ann
30708s x3 every=100ms weak 198.51.100.9 service=nginx
30709s accepted 198.51.100.9 service=nginx user=bob
30805s x3 every=100ms weak 198.51.100.9 service=nginx
30806s accepted 198.51.100.9 service=nginx user=cem
30902s x3 every=100ms weak 198.51.100.9 service=nginx
30903s accepted 198.51.100.9 service=nginx user=dov
30999s x3 every=100ms weak 198.51.100.9 service=nginx
31000s accepted 198.51.100.9 service=nginx user=eva
31211s x3 every=100ms weak 198.51.100.9 service=nginx
31212s accepted 198.51.100.9 service=nginx user=ann
31308s x3 every=100ms weak 198.51.100.9 service=nginx
31309s accepted 198.51.100.9 service=nginx user=bob
31405s x3 every=100ms weak 198.51.100.9 service=nginx
31406s accepted 198.51.100.9 service=nginx user=cem
31502s x3 every=100ms weak 198.51.100.9 service=nginx
31503s accepted 198.51.100.9 service=nginx user=dov
31599s x3 every=100ms weak 198.51.100.9 service=nginx
31600s accepted 198.51.100.9 service=nginx user=eva
31811s x3 every=100ms weak 198.51.100.9 service=nginx
31812s accepted 198.51.100.9 service=nginx user=ann
31908s x3 every=100ms weak 198.51.100.9 service=nginx
31909s accepted 198.51.100.9 service=nginx user=bob
32005s x3 every=100ms weak 198.51.100.9 service=nginx
32006s accepted 198.51.100.9 service=nginx user=cem
32102s x3 every=100ms weak 198.51.100.9 service=nginx
32103s accepted 198.51.100.9 service=nginx user=dov
32199s x3 every=100ms weak 198.51.100.9 service=nginx
32200s accepted 198.51.100.9 service=nginx user=eva
32411s x3 every=100ms weak 198.51.100.9 service=nginx
32412s accepted 198.51.100.9 service=nginx user=ann
32508s x3 every=100ms weak 198.51.100.9 service=nginx
32509s accepted 198.51.100.9 service=nginx user=bob
32605s x3 every=100ms weak 198.51.100.9 service=nginx
32606s accepted 198.51.100.9 service=nginx user=cem
32702s x3 every=100ms weak 198.51.100.9 service=nginx
32703s accepted 198.51.100.9 service=nginx user=dov
32799s x3 every=100ms weak 198.51.100.9 service=nginx
32800s accepted 198.51.100.9 service=nginx user=eva
33011s x3 every=100ms weak 198.51.100.9 service=nginx
33012s accepted 198.51.100.9 service=nginx user=ann
33108s x3 every=100ms weak 198.51.100.9 service=nginx
33109s accepted 198.51.100.9 service=nginx user=bob
33205s x3 every=100ms weak 198.51.100.9 service=nginx
33206s accepted 198.51.100.9 service=nginx user=cem
33302s x3 every=100ms weak 198.51.100.9 service=nginx
33303s accepted 198.51.100.9 service=nginx user=dov
33399s x3 every=100ms weak 198.51.100.9 service=nginx
33400s accepted 198.51.100.9 service=nginx user=eva
33611s x3 every=100ms weak 198.51.100.9 service=nginx
33612s accepted 198.51.100.9 service=nginx user=ann
33708s x3 every=100ms weak 198.51.100.9 service=nginx
33709s accepted 198.51.100.9 service=nginx user=bob
33805s x3 every=100ms weak 198.51.100.9 service=nginx
33806s accepted 198.51.100.9 service=nginx user=cem
33902s x3 every=100ms weak 198.51.100.9 service=nginx
33903s accepted 198.51.100.9 service=nginx user=dov
33999s x3 every=100ms weak 198.51.100.9 service=nginx
34000s accepted 198.51.100.9 service=nginx user=eva
34211s x3 every=100ms weak 198.51.100.9 service=nginx
34212s accepted 198.51.100.9 service=nginx user=ann
34308s x3 every=100ms weak 198.51.100.9 service=nginx
34309s accepted 198.51.100.9 service=nginx user=bob
34405s x3 every=100ms weak 198.51.100.9 service=nginx
34406s accepted 198.51.100.9 service=nginx user=cem
34502s x3 every=100ms weak 198.51.100.9 service=nginx
34503s accepted 198.51.100.9 service=nginx user=dov
34599s x3 every=100ms weak 198.51.100.9 service=nginx
34600s accepted 198.51.100.9 service=nginx user=eva
34811s x3 every=100ms weak 198.51.100.9 service=nginx
34812s accepted 198.51.100.9 service=nginx user=ann
34908s x3 every=100ms weak 198.51.100.9 service=nginx
34909s accepted 198.51.100.9 service=nginx user=bob
35005s x3 every=100ms weak 198.51.100.9 service=nginx
35006s accepted 198.51.100.9 service=nginx user=cem
35102s x3 every=100ms weak 198.51.100.9 service=nginx
35103s accepted 198.51.100.9 service=nginx user=dov
35199s x3 every=100ms weak 198.51.100.9 service=nginx
35200s accepted 198.51.100.9 service=nginx user=eva
35411s x3 every=100ms weak 198.51.100.9 service=nginx
35412s accepted 198.51.100.9 service=nginx user=ann
35508s x3 every=100ms weak 198.51.100.9 service=nginx
35509s accepted 198.51.100.9 service=nginx user=bob
35605s x3 every=100ms weak 198.51.100.9 service=nginx
35606s accepted 198.51.100.9 service=nginx user=cem
35702s x3 every=100ms weak 198.51.100.9 service=nginx
35703s accepted 198.51.100.9 service=nginx user=dov
35799s x3 every=100ms weak 198.51.100.9 service=nginx
35800s accepted 198.51.100.9 service=nginx user=eva
