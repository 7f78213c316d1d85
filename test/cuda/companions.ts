import { attention, type DeviceTensor, type TensorLike, toDevice } from 'sparse-kernels';
import type { Companions } from '../kernels/companions.js';
import { halfBits } from '../reference/round.js';

/** Lists on the device, with room for more ids than they have; there lie some that are no keys. */
export async function toDeviceRows({ start, count, index }: attention.Rows, spare = 3): Promise<attention.CudaRows> {
  const rows = count.length;
  const capacity = count.reduce((a, b) => Math.max(a, b), 0) + spare;
  const data = new Int32Array(rows * capacity).fill(-7);
  for (let r = 0; r < rows; r++) {
    const begin = start[r] as number;
    data.set(index.subarray(begin, begin + (count[r] as number)), r * capacity);
  }
  const there = (data: Int32Array, dims: number[]) => toDevice({ data, dims, type: 'int32' }, 'cuda');
  return new attention.CudaRows(await there(Int32Array.from(count), [rows]), await there(data, [rows, capacity]));
}

/** Operands of one element type on the device; results come back. Pages are float32, as pooling gives them. */
export function onDevice(type: Companions['type']): Companions {
  const put = (x: TensorLike, as = type) =>
    toDevice(as === 'float32' ? x : { data: halfBits(as, x.data as Float32Array), dims: x.dims, type: as }, 'cuda');
  const back = async (x: DeviceTensor<'float32'>) => (await x.to('cpu')).data;
  return {
    type,
    pool: async (x, o, logits) => {
      const { logits: _, ...rest } = o;
      using there = await put(x);
      using weights = logits && (await put(logits, 'float32'));
      const { pooled, start, count } = await attention.pool(there, { ...rest, ...(weights && { logits: weights }) });
      return { pooled: await pooled.to('cpu'), start, count };
    },
    score: async (q, k, o) => {
      const { lse, channels: _, isa: __, threads: ___, ...rest } = o;
      using queries = await put(q);
      using keys = await put(k, o.kind === 'minmax' ? 'float32' : type);
      using sums = lse && (await put({ data: lse as Float32Array, dims: [(lse as Float32Array).length] }, 'float32'));
      return back(await attention.score(queries, keys, { ...rest, ...(sums && { lse: sums }) }));
    },
    lines: async (q, k, o) => {
      const { isa: _, threads: __, ...rest } = o;
      using queries = await put(q);
      using keys = await put(k);
      const { vertical, slash } = await attention.lines(queries, keys, rest);
      return { vertical: await back(vertical), slash: await back(slash) };
    },
  };
}
