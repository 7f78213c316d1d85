// A measuring process: takes jobs, verifies both sides of each, times them, sends an outcome per condition; ends when its parent hangs up.
import { Calm } from './calm.js';
import type { Job, Outcome } from './measure.js';
import type { Conditions, Workload } from './suite.js';
import { suites } from './suites/index.js';
import { timePairs } from './timing.js';

process.once('disconnect', () => process.exit());
process.on('message', async (job: Job) => {
  const suite = suites.get(job.suite);
  if (!suite) throw new Error(`no suite '${job.suite}'`);
  const workload = suite.prepare(job.case);
  let { fastestProbeMs } = job;
  for (const conditions of job.conditions) {
    const outcome = await contest(workload, conditions, { ...job, fastestProbeMs });
    if ('pairs' in outcome) fastestProbeMs = outcome.fastestProbeMs;
    process.send?.(outcome);
  }
});

async function contest(workload: Workload, conditions: Conditions, { budget, fastestProbeMs }: Job): Promise<Outcome> {
  try {
    const { runOurs, runPeer, verify, ...figures } = await workload(conditions);
    const problems = await verify();
    if (problems.length > 0) return { problems };
    if (budget.patienceSeconds === 0) return { ...figures, ...(await timePairs(runOurs, runPeer, budget)) };
    const calm = await Calm.over(conditions.threads, fastestProbeMs);
    try {
      const timed = await timePairs(runOurs, runPeer, budget, calm);
      return { ...figures, ...timed, fastestProbeMs: calm.fastestMs };
    } finally {
      await calm.end();
    }
  } catch (error) {
    return { problems: [error instanceof Error ? error.message : String(error)] };
  }
}
