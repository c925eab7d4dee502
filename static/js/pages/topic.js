// One topic: the charts and the tables of producers and groups follow the samples.

import "../elements/time-chart.js";
import { follow } from "../lib/following.js";

follow("topics", "flow", ["standing", "flow"]);
