// The process of one case: takes a job, verifies both sides, times them, sends an outcome per condition, ends.
import { once } from 'node:events';
import type { Job, Outcome } from './measure.js';
import type { Conditions, Workload } from './suite.js';
import { suites } from './suites/index.js';
import { type Budget, timePairs } from './timing.js';

const [job] = (await once(process, 'message')) as [Job];
const suite = suites.get(job.suite);
if (!suite) throw new Error(`no suite '${job.suite}'`);
const workload = suite.prepare(job.case);
for (const conditions of job.conditions) process.send?.(await contest(workload, conditions, job.budget));
process.disconnect();

async function contest(workload: Workload, conditions: Conditions, budget: Budget): Promise<Outcome> {
  try {
    const { runOurs, runPeer, verify, ...figures } = await workload(conditions);
    const problems = await verify();
    return problems.length > 0 ? { problems } : { ...figures, pairs: await timePairs(runOurs, runPeer, budget) };
  } catch (error) {
    return { problems: [error instanceof Error ? error.message : String(error)] };
  }
}
