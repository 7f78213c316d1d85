// The process of one simulated step that chooses keys for a decoder: compared with the CPU's. GPUSIM_REPORT then has its launches.
//   chosen.ts pool|score|select|lines heads tokens headDim: the heads of one key-value head, pages of 16 tokens
import { attention, type DeviceTensor, toDevice } from 'sparse-kernels';
import { halves, powersOfTwo } from './halves.js';

const kind = process.argv[2];
const [heads = 0, tokens = 0, d = 0] = process.argv.slice(3).map(Number);
const [block, pages, last] = [16, tokens / 16, 64];
const put = (data: Float32Array, dims: number[]) => toDevice({ data, dims }, 'cuda');
const half = (data: Float32Array, dims: number[]) => toDevice({ data: halves(data, 'float16'), dims, type: 'float16' }, 'cuda');

async function expect(result: DeviceTensor<'float32'>, expected: ArrayLike<number>): Promise<void> {
  const { data } = await result.to('cpu');
  const wrong = data.findIndex((x, i) => !(Math.abs(x - (expected[i] as number)) <= 1e-3));
  if (wrong >= 0 || data.length !== expected.length)
    throw new Error(`${kind} is wrong at ${wrong}: ${data[wrong]}, not ${expected[wrong]}`);
}

if (kind === 'pool') {
  const k = { data: powersOfTwo(tokens * d, 1), dims: [1, 1, tokens, d] };
  const { pooled } = await attention.pool(await half(k.data, k.dims), { kind: 'minmax', block });
  await expect(pooled, attention.poolSync(k, { kind: 'minmax', block }).pooled.data);
} else if (kind === 'score') {
  const q = { data: powersOfTwo(heads * d, 1), dims: [1, heads, 1, d] };
  const keys = { data: powersOfTwo(tokens * d, 2), dims: [1, 1, tokens, d] };
  const { pooled: k } = attention.poolSync(keys, { kind: 'minmax', block });
  const scores = await attention.score(await half(q.data, q.dims), await put(k.data as Float32Array, [...k.dims]), { kind: 'minmax' });
  await expect(scores, attention.scoreSync(q, k, { kind: 'minmax' }).data);
} else if (kind === 'select') {
  const scores = { data: powersOfTwo(heads * pages, 1).map((x, i) => x * Math.sin(i)), dims: [heads, pages] };
  const topK = Math.round(pages / 16);
  const rows = await (await attention.select(await put(scores.data, scores.dims), { topK, force: { local: 1 } })).to('cpu');
  const expected = attention.selectSync(scores, { topK, force: { local: 1 } });
  if (String(rows.index) !== String(expected.index)) throw new Error('the lists are wrong');
} else {
  const q = { data: powersOfTwo(heads * last * d, 1), dims: [1, heads, last, d] };
  const k = { data: powersOfTwo(tokens * d, 2), dims: [1, 1, tokens, d] };
  const { vertical, slash } = await attention.lines(await half(q.data, q.dims), await half(k.data, k.dims));
  const expected = await attention.lines(q, k);
  await expect(vertical, expected.vertical.data);
  await expect(slash, expected.slash.data);
}
