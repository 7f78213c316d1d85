// The process of one case: takes a job, verifies both sides, times them, sends an outcome per condition, ends.
import { once } from 'node:events';
import { Calm } from './calm.js';
import type { Job, Outcome } from './measure.js';
import type { Conditions, Workload } from './suite.js';
import { suites } from './suites/index.js';
import { timePairs } from './timing.js';

const [job] = (await once(process, 'message')) as [Job];
const suite = suites.get(job.suite);
if (!suite) throw new Error(`no suite '${job.suite}'`);
const workload = suite.prepare(job.case);
let { fastestProbeMs } = job;
for (const conditions of job.conditions) process.send?.(await contest(workload, conditions));
process.disconnect();

async function contest(workload: Workload, conditions: Conditions): Promise<Outcome> {
  try {
    const { runOurs, runPeer, verify, ...figures } = await workload(conditions);
    const problems = await verify();
    if (problems.length > 0) return { problems };
    const calm = await Calm.over(conditions.threads, fastestProbeMs);
    const timed = await timePairs(runOurs, runPeer, job.budget, calm);
    await calm.end();
    fastestProbeMs = calm.fastestMs;
    return { ...figures, ...timed, fastestProbeMs };
  } catch (error) {
    return { problems: [error instanceof Error ? error.message : String(error)] };
  }
}
