/** What choosing keys may cost, counted by the simulator. */
import './simulated.js';

import { describe, expect, test } from 'vitest';
import { launchesOf } from './launches.js';
import { where } from './simulated.js';

const [heads, d] = [4, 128];

describe.skipIf(where !== 'simulator')('what chooses keys', () => {
  test.each([
    ['pool', 'pool_extremes', 1024, 1024 * d * 2],
    ['score', 'score_tiles', 4096, (4096 / 16) * 2 * d * 4 + heads * d * 2],
    ['select', 'top_k_lists', 4096, heads * (4096 / 16) * 4],
    ['lines', 'score_tiles', 256, 256 * d * 2 + heads * 64 * d * 2],
  ])('%s reads each operand once from memory, and nothing is spilled', (step, kernel, tokens, bytes) => {
    const launches = launchesOf('bench/simulate/chosen.ts', 108, step, heads, tokens, d);
    const launch = launches.find((launch) => launch.kernel.includes(kernel));
    expect(launch?.compulsory_bytes_read).toBe(bytes);
    for (const { occupancy } of launches) expect(occupancy).toMatchObject({ registers_from: 'ptxas', spilled_bytes: 0 });
    if (step === 'score') expect(launch?.shared.bank_conflicts).toBe(0);
  });
});
