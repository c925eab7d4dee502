// One service: its charts and the tables of what it reads and writes follow the spans.

import "../elements/time-chart.js";
import { follow } from "../lib/following.js";

follow("graph", "fresh", ["live", "changes"]);
