import { testParity } from './parity.js';

testParity();
