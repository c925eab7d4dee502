// One question to Kafka: says that its answer came, once it takes the place of the waiting line.

import { say } from "../lib/say.js";

document.addEventListener("renewed", ({ target }) => target.dataset.said && say(target.dataset.said));
