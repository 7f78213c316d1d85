/** Exits while a run is under way. */
import { plan, x } from './busy.js';

void plan.run(x);
setTimeout(() => process.exit(7), 100);
