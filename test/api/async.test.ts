/** Real asynchrony: the event loop runs on, runs can be aborted, and no order of events takes the process down. */
import { execFile } from 'node:child_process';
import { getEventListeners } from 'node:events';
import { stat } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { nm } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { smallIntegers } from '../support/random.js';

const [out, inputs] = [1024, 1024];
const weight = nm.prune({ data: smallIntegers(out * inputs, 1), dims: [out, inputs] }, { pattern: '2:4' });
const plan = nm.plan({ weight, pattern: '2:4' });
const wide = nm.prune({ data: smallIntegers(4096 * 4096, 2), dims: [4096, 4096] }, { pattern: '2:4' });

/** Tokens that keep the plan busy for about so long. */
function tokensFor(milliseconds: number): number {
  const probe = new Float32Array(512 * inputs);
  plan.runSync(probe);
  const start = performance.now();
  plan.runSync(probe);
  return Math.ceil((512 * milliseconds) / (performance.now() - start));
}

/** toEqual() takes seconds for arrays of this size. */
function expectSame(actual: Float32Array, expected: Float32Array): void {
  expect(firstMismatch(actual, expected, 0)).toBeNull();
}

async function collectGarbage(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    globalThis.gc?.();
    await sleep(5); // finalizers run in between
  }
}

/** Transfers the buffer away and lets its memory be freed. */
function transferAway(array: Float32Array): void {
  structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] });
  globalThis.gc?.();
}

test('brief runs let the event loop turn', async () => {
  const brief = nm.plan({ weight: { data: Float32Array.of(1, 0, 2, 0), dims: [1, 4] }, pattern: '2:4' });
  let turns = 0;
  let next = setImmediate(function turn() {
    turns++;
    next = setImmediate(turn);
  });
  for (let i = 0; i < 100; i++) expect([...(await brief.run(Float32Array.of(i, 1, 1, 1))).data]).toEqual([i + 2]);
  clearImmediate(next);
  expect(turns).toBeGreaterThan(90);
});

test('a two-second job never stalls the event loop for 50 ms', async () => {
  const big = nm.plan({ weight: wide, pattern: '2:4', threads: 1 });
  const x = new Float32Array(256 * 4096).fill(1);
  await big.run(x);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  let ticks = 0;
  const ticker = setInterval(() => ticks++, 5);
  await sleep(20);
  delay.enable();
  const start = performance.now();
  const runs: Promise<unknown>[] = [];
  while (performance.now() - start < 2000) {
    runs.push(big.run(x));
    await runs.at(-1);
  }
  const elapsed = performance.now() - start;
  delay.disable();
  clearInterval(ticker);
  expect(elapsed).toBeGreaterThan(2000);
  expect(delay.max / 1e6).toBeLessThan(50);
  expect(ticks).toBeGreaterThan(elapsed / 5 / 4);
});

test('one long run in slices does not stall the event loop either', async () => {
  const x = new Float32Array(tokensFor(2000) * inputs).fill(1);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  const running = plan.run(x); // allocates the output: not part of what is measured
  delay.enable();
  await running;
  delay.disable();
  expect(delay.max / 1e6).toBeLessThan(50);
});

describe('AbortSignal', () => {
  test('aborted before: rejects with its reason', async () => {
    const reason = new Error('no longer wanted');
    await expect(plan.run(new Float32Array(inputs), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(plan.run(new Float32Array(inputs), { signal: AbortSignal.abort() })).rejects.toThrow(
      expect.objectContaining({ name: 'AbortError' }),
    );
  });

  test('aborted during: stops early and rejects with its reason', async () => {
    const tokens = tokensFor(1500);
    const controller = new AbortController();
    const reason = { any: 'value' };
    const start = performance.now();
    const running = plan.run(new Float32Array(tokens * inputs), { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 100);
    await expect(running).rejects.toBe(reason);
    expect(performance.now() - start).toBeLessThan(1000);
  });

  test('aborted before the promise settles: rejects with its reason, though the work is done', async () => {
    const controller = new AbortController();
    const reason = new Error('late');
    const run = plan.run(new Float32Array(inputs), { signal: controller.signal });
    const start = performance.now();
    while (performance.now() - start < 100); // the worker ends; the event loop does not hear of it
    controller.abort(reason);
    await expect(run).rejects.toBe(reason);
  });

  test('aborted afterwards: nothing happens, and no listener stays', async () => {
    const controller = new AbortController();
    await plan.run(new Float32Array(inputs), { signal: controller.signal });
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    controller.abort();
  });
});

describe('while a run is under way', () => {
  test('many runs of several plans give the right answers', async () => {
    const other = nm.plan({ weight, pattern: '2:4', activation: 'relu', threads: 1 });
    const xs = Array.from({ length: 24 }, (_, i) => smallIntegers((1 + i * 3) * inputs, i));
    const results = await Promise.all(xs.map((x, i) => (i % 2 ? other : plan).run(x)));
    for (const [i, y] of results.entries()) expectSame(y.data, (i % 2 ? other : plan).runSync(xs[i] ?? x0).data);
  });
  const x0 = new Float32Array(inputs);

  test('dispose() lets it finish', async () => {
    const short = nm.plan({ weight, pattern: '2:4' });
    const x = smallIntegers(300 * inputs, 3);
    const running = short.run(x);
    short.dispose();
    expectSame((await running).data, plan.runSync(x).data);
  });

  test('dispose() lets all slices of a long run finish', async () => {
    const short = nm.plan({ weight, pattern: '2:4' });
    const x = smallIntegers(3000 * inputs, 8);
    const running = short.run(x);
    short.dispose();
    await expect(short.run(x)).rejects.toMatchObject({ code: 'ERR_SK_DISPOSED' });
    expectSame((await running).data, plan.runSync(x).data);
  });

  test('the garbage collector may take everything that is not referenced', async () => {
    const runs: Promise<{ data: Float32Array }>[] = [];
    for (let i = 0; i < 20; i++) runs.push(nm.plan({ weight, pattern: '2:4' }).run(smallIntegers(100 * inputs, 4)));
    await collectGarbage();
    const expected = plan.runSync(smallIntegers(100 * inputs, 4)).data;
    for (const run of runs) expectSame((await run).data, expected);
  });

  test('x may be transferred away: the copy in work is used', async () => {
    const x = smallIntegers(200 * inputs, 5);
    const expected = plan.runSync(x).data;
    const running = plan.run(x);
    transferAway(x);
    expectSame((await running).data, expected);
  });

  test('out may be transferred away: an error, not a crash', async () => {
    const target = new Float32Array(200 * out);
    const running = plan.run(smallIntegers(200 * inputs, 6), { out: target });
    transferAway(target);
    await expect(running).rejects.toMatchObject({ code: 'ERR_SK_BUFFER' });
  });

  test('x transferred away between two slices: an error, not a crash', async () => {
    const x = smallIntegers(5000 * inputs, 7);
    const running = plan.run(x);
    transferAway(x);
    await expect(running).rejects.toMatchObject({ code: 'ERR_SK_BUFFER' });
  });
});

test('runs under way take no thread from files and name look-ups', async () => {
  const single = nm.plan({ weight: wide, pattern: '2:4', threads: 1 });
  let ended = false;
  // Each is one slice of a hundred milliseconds or so; four are under way at once, as many as libuv has threads.
  const runs = Array.from({ length: 6 }, () => single.run(new Float32Array(512 * 4096)).then(() => (ended = true)));
  await stat(fileURLToPath(import.meta.url));
  expect(ended).toBe(false);
  await Promise.all(runs);
});

test('plans that nobody disposes are collected: their memory is reported to V8', async () => {
  const megabytes = () => process.memoryUsage().rss / 2 ** 20;
  const before = megabytes();
  for (let i = 0; i < 500; i++) {
    nm.plan({ weight, pattern: '2:4' }); // 2.2 MB of native memory behind a few hundred bytes of JavaScript
    await sleep(0);
  }
  expect(megabytes() - before).toBeLessThan(500); // all of them would be 1.1 GB
});

test('plans and runs do not leak', async () => {
  const rss = () => process.memoryUsage().rss / 2 ** 20;
  const cycle = async (count: number) => {
    for (let i = 0; i < count; i++) {
      using short = nm.plan({ weight, pattern: '2:4' }); // 2.2 MB
      await short.run(new Float32Array(64 * inputs));
      short.runSync(new Float32Array(inputs));
    }
    globalThis.gc?.();
  };
  await cycle(30);
  const before = rss();
  await cycle(100); // leaked plans alone would be 220 MB
  expect(rss() - before).toBeLessThan(60);
});

describe('in a process of its own', () => {
  const run = promisify(execFile);
  const script = (name: string) => fileURLToPath(new URL(`../support/${name}.ts`, import.meta.url));
  const node = (name: string, env: NodeJS.ProcessEnv = {}) =>
    run(process.execPath, ['--import', 'tsx', script(name)], { env: { ...process.env, ...env }, timeout: 60_000 });

  test('worker_threads: each loads the addon, all give the same answer', async () => {
    expect((await node('workers')).stdout).toContain('4 workers agree');
  });
  test('worker.terminate() in mid-run leaves the process alive', async () => {
    expect((await node('terminate')).stdout).toContain('20 terminations survived');
  });
  test('process.exit() in mid-run exits with its code, soon', async () => {
    const start = performance.now();
    await expect(node('exit')).rejects.toMatchObject({ code: 7, signal: null });
    expect(performance.now() - start).toBeLessThan(15_000);
  });
  test('SK_ISA and SK_NUM_THREADS hold, and nonsense is refused', async () => {
    const show = async (env: NodeJS.ProcessEnv) => (await node('show', env)).stdout.trim();
    expect(await show({ SK_ISA: 'scalar', SK_NUM_THREADS: '3' })).toBe('spmm_f32_Nx4_scalar 3');
    await expect(node('show', { SK_ISA: 'mmx' })).rejects.toMatchObject({ stderr: expect.stringContaining('ERR_SK_ISA') });
    await expect(node('show', { SK_NUM_THREADS: '0' })).rejects.toMatchObject({ stderr: expect.stringContaining('ERR_SK_OPTION') });
    await expect(node('show', { SK_BINARY: '/nowhere.node' })).rejects.toMatchObject({ stderr: expect.stringContaining('ERR_SK_BINARY') });
  });
});
