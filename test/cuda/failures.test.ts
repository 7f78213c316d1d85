/** What happens when the device fails: named errors, and a process that goes on. Each in a process of its own. */
import './simulated.js';

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { simulatedAddon, where } from './simulated.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Runs `body` as a module that has `attention`, `nm`, `Stream`, `toDevice`, `weight`, `x` and `options` in scope; gives what it printed. */
async function program(body: string, environment: Record<string, string> = {}): Promise<string> {
  const source = `
    import { attention, nm, Stream, toDevice, devices } from './lib/index.ts';
    import { Worker } from 'node:worker_threads';
    const weight = nm.prune({ data: new Float32Array(256 * 128).fill(1), dims: [256, 128] }, { pattern: '2:4' });
    const x = { data: new Float32Array(40 * 128).fill(1), dims: [40, 128] };
    const options = { weight, dtype: 'float16', pattern: '2:4', device: 'cuda' };
    const code = (error) => error.code;
    ${body}`;
  const args = ['--import', 'tsx', '--input-type=module', '--eval', source];
  const env = { ...process.env, ...environment };
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, env });
  return stdout.trim();
}

describe.skipIf(where !== 'simulator')('in the simulator', () => {
  test('a kernel that fails rejects its run; the CPU goes on', async () => {
    const body = `
      const plan = nm.plan(options);
      console.log(await plan.run(x).catch(code));
      console.log((await nm.plan({ weight, pattern: '2:4' }).run(x)).data[0]);`;
    expect(await program(body, { GPUSIM_LIMIT: '10' })).toBe('ERR_SK_CUDA\n64');
  });

  test('streams of a lost context: named errors, whatever is asked of them; the CPU goes on', async () => {
    const body = `
      const [stream, other] = [new Stream('cuda'), new Stream('cuda')];
      const there = await toDevice(x, 'cuda', { stream });
      const plan = nm.plan(options);
      console.log(await plan.run(there, { stream }).catch(code), await stream.synchronize().catch(code), await other.synchronize().catch(code));
      console.log(await plan.run(there, { stream: other }).catch(code), await there.to('cpu', { stream: other }).catch(code));
      console.log(await nm.prune(there, { pattern: '2:4', stream }).catch(code), await toDevice(x, 'cuda', { stream }).catch(code));
      try { new Stream('cuda'); } catch (error) { console.log(code(error)); }
      for (const gone of [stream, other, there, plan]) gone.dispose();
      console.log((await nm.plan({ weight, pattern: '2:4' }).run(x)).data[0]);`;
    const failed = ['ERR_SK_CUDA', 'ERR_SK_CUDA', 'ERR_SK_CUDA'];
    const lines = [failed, failed.slice(1), failed.slice(1), failed.slice(2), ['64']];
    expect(await program(body, { GPUSIM_LIMIT: '10' })).toBe(lines.map((line) => line.join(' ')).join('\n'));
  });

  test('no memory on the device is a named error, and what fits still runs', async () => {
    const body = `
      const plan = nm.plan(options);
      console.log(await toDevice({ data: new Float32Array(1 << 20), dims: [1 << 20] }, 'cuda').catch(code));
      console.log((await plan.run(x)).data[0]);`;
    expect(await program(body, { GPUSIM_MEMORY: '1000000' })).toBe('ERR_SK_MEMORY\n64');
  });

  test('no memory for a plan is a named error', async () => {
    const body = `try { nm.plan(options); } catch (error) { console.log(code(error)); }`;
    expect(await program(body, { GPUSIM_MEMORY: '10000' })).toBe('ERR_SK_MEMORY');
  });

  test('heads that need more shared memory than the device has are a named error of the plan', async () => {
    const body = `
      const pattern = attention.patterns.dense({ queryLength: 4 });
      const plan = (headDim) => attention.plan({ pattern, heads: 1, headDim, dtype: 'float16', device: 'cuda' });
      const zeros = (headDim) => ({ data: new Uint16Array(4 * headDim), dims: [1, 1, 4, headDim], type: 'float16' });
      console.log((await plan(128).run(zeros(128), zeros(128), zeros(128))).lse.data.length);
      try { plan(136); } catch (error) { console.log(code(error), error.message); }`;
    expect(await program(body, { GPUSIM_DEVICE: 'rtx3090' })).toMatch(
      /^4\nERR_SK_DEVICE expected a device with \d+ bytes of shared memory a block for headDim 136 but .* has 101376$/,
    );
  });

  test('kernels without a driver, or without a device: a named error, and the CPU goes on', async () => {
    const body = `
      console.log(devices()[1].available, devices()[1].reason);
      try { nm.plan(options); } catch (error) { console.log(code(error)); }
      console.log(await toDevice(x, 'cuda').catch(code), (await nm.plan({ weight, pattern: '2:4' }).run(x)).data[0]);`;
    const real = simulatedAddon.replace('_sim.node', '.node'); // with NVIDIA's runtime
    expect(await program(body, { SK_BINARY: real })).toMatch(/^false .*(driver|device).*\nERR_SK_DEVICE\nERR_SK_DEVICE 64$/);
  });

  test('a device of an older architecture is not used, and says why; the CPU goes on', async () => {
    const body = `
      console.log(JSON.stringify(devices()[1]));
      try { nm.plan(options); } catch (error) { console.log(code(error)); }
      console.log(await toDevice(x, 'cuda').catch(code), (await nm.plan({ weight, pattern: '2:4' }).run(x)).data[0]);`;
    const reason = 'expected a device of compute capability 8.0 or more but gpusim V100 has 7.0';
    const lines = [JSON.stringify({ type: 'cuda', available: false, reason }), 'ERR_SK_DEVICE', 'ERR_SK_DEVICE 64'];
    expect(await program(body, { GPUSIM_DEVICE: 'v100' })).toBe(lines.join('\n'));
  });

  test('process.exit() in mid-run exits with its code', async () => {
    const body = `nm.plan(options).run(x); setTimeout(() => process.exit(7), 5);`;
    await expect(program(body)).rejects.toMatchObject({ code: 7 });
  });

  test('runs give back the memory of the device that they use', async () => {
    const body = `
      const plan = nm.plan(options);
      for (let i = 0; i < 200; i++) await plan.run(x);
      console.log('done');`;
    expect(await program(body, { GPUSIM_MEMORY: '1000000' })).toBe('done');
  });

  test('so do runs on streams of which nobody waits for the first', async () => {
    const body = `
      const [a, b] = [new Stream('cuda'), new Stream('cuda')];
      const there = await toDevice(x, 'cuda');
      for (let i = 0; i < 200; i++) {
        const pruned = await nm.prune(there, { pattern: '2:4', stream: a });
        const again = await nm.prune(pruned, { pattern: '1:4', stream: b });
        const last = new Stream('cuda');
        if (i % 50 === 0) await again.to('cpu', { stream: last });
        for (const gone of [pruned, again, last]) gone.dispose();
      }
      console.log('done');`;
    expect(await program(body, { GPUSIM_MEMORY: '200000' })).toBe('done');
  });
});
