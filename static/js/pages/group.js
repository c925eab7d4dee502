// One consumer group: charts and standing follow the samples.

import "../elements/time-chart.js";
import { follow } from "../lib/following.js";

follow("groups", "fresh", ["standing", "topics", "partitions", "members", "changes"]);
