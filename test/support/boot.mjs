// Entry of a worker thread written in TypeScript: Node 20 does not pass the hooks of tsx on to workers.
import { workerData } from 'node:worker_threads';
import { register } from 'tsx/esm/api';

register();
await import(workerData.script);
