/**
 * Explores every interleaving of captures, copies and sweeps, on the decisions that the program itself calls, and prints
 * how many states there were. Ends with 1 when a committed manifest names a deleted chunk, and prints the steps there.
 *
 *   npm run model                                          what the tests explore
 *   npm run model -- --chunks 2 --crashes 1                a larger one: minutes, and a few GiB
 *   npm run model -- --broken no-settling                  a protocol without that step: the loss is found
 */
import { parseArgs } from 'node:util';
import { Model, type ModelOptions } from '../test/vault/sweep-model.ts';

const { values } = parseArgs({
  options: {
    captures: { type: 'string', default: '3' },
    copies: { type: 'string', default: '1' },
    sweeps: { type: 'string', default: '2' },
    chunks: { type: 'string', default: '1' },
    crashes: { type: 'string', default: '0' },
    broken: { type: 'string' },
  },
});
const size: ModelOptions = {
  captures: Number(values.captures),
  copies: Number(values.copies),
  sweeps: Number(values.sweeps),
  chunks: Number(values.chunks),
  crashes: Number(values.crashes),
  ...(values.broken === undefined ? {} : { broken: values.broken as NonNullable<ModelOptions['broken']> }),
};
const outcome = new Model(size).explore();
console.log(JSON.stringify({ ...size, ...outcome }, undefined, 2));
process.exitCode = outcome.loss === undefined ? 0 : 1;
