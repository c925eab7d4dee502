// One operation: the charts of those who read its target follow the samples; the rest of the page follows by itself.

import "../elements/time-chart.js";
import { follow } from "../lib/following.js";

follow("retries");
