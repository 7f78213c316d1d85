// Whether the cores that we run on are ours alone. On a shared machine another tenant often works on the other hyperthread of a core, for
// seconds at a time: loads then arrive at little more than half their rate, which slows kernels that live by loads more than others.
import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import { Worker } from 'node:worker_threads';

/** A probe so much slower than the fastest one was disturbed: where the other hyperthread works it takes 1.5 to 1.8 times as long. */
const tolerance = 1.3;

const cores = availableParallelism();
const mayPin = process.platform === 'linux' && cores === cpus().length;

export class Calm {
  /** Milliseconds of the fastest probe that this machine has shown. */
  fastestMs: number;
  private core = 0;

  /**
   * For work of so many threads. Work of one thread is kept on one core, where the system has `taskset`.
   *
   * @param fastestMs - of earlier processes
   */
  static async over(threads: number, fastestMs = Number.POSITIVE_INFINITY): Promise<Calm> {
    return new Calm(await Promise.all(Array.from({ length: Math.min(threads, cores) }, startProbe)), fastestMs);
  }

  private constructor(
    private readonly probes: readonly Probe[],
    fastestMs: number,
  ) {
    this.fastestMs = fastestMs;
    this.move();
  }

  /** The slowest of simultaneous probes on as many cores as the work uses, in milliseconds. */
  probe(): number {
    for (const probe of this.probes) probe.ask();
    const slowest = Math.max(...this.probes.map((probe) => probe.answer()));
    this.fastestMs = Math.min(this.fastestMs, slowest);
    return slowest;
  }

  isCalm(probeMs: number): boolean {
    return probeMs <= tolerance * this.fastestMs;
  }

  /** Takes work of one thread to the next core. */
  move(): void {
    this.core = (this.core + 1) % cores;
    if (this.probes.length === 1) pin(String(this.core));
  }

  async end(): Promise<void> {
    pin(`0-${cores - 1}`);
    await Promise.all(this.probes.map((probe) => probe.end()));
  }
}

/** A thread of its own: what else a process compiles and runs would change the code that V8 makes of the loop. */
interface Probe {
  ask(): void;
  /** Waits for it. */
  answer(): number;
  end(): Promise<unknown>;
}

async function startProbe(): Promise<Probe> {
  const asked = new Int32Array(new SharedArrayBuffer(4));
  const answer = new Float64Array(new SharedArrayBuffer(8));
  const worker = new Worker(new URL('./calm-worker.mjs', import.meta.url), { workerData: { asked, answer } });
  await new Promise((resolve) => worker.once('message', resolve));
  return {
    ask: () => {
      Atomics.store(asked, 0, 1);
      Atomics.notify(asked, 0);
    },
    answer: () => {
      Atomics.wait(asked, 0, 1);
      return answer[0] as number;
    },
    end: () => worker.terminate(),
  };
}

/** Binds every thread of this process to these cores. */
function pin(list: string): void {
  if (!mayPin) return;
  try {
    execFileSync('taskset', ['-a', '-c', '-p', list, String(process.pid)], { stdio: 'ignore' });
  } catch {
    // No such program, or not allowed: the system chooses the cores, and a probe may run on another one than the work.
  }
}
