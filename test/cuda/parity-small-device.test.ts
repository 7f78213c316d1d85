/** The same on a device with one multiprocessor: plans then choose the large blocks of threads. */
import './one-multiprocessor.js';

import { describe } from 'vitest';
import { testParity } from './parity.js';
import { where } from './simulated.js';

describe.skipIf(where === 'device')('one multiprocessor', () => testParity(['attend', 'mapmm', 'spmm']));
