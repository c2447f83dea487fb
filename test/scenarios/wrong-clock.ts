/**
 * Loaded before a host's worker (`node --import`), this gives the process another clock, as a machine has whose time is
 * wrong: ahead of the real one by the milliseconds in the file that WRONG_CLOCK_FILE names, as they are at that moment.
 */
import { readFileSync } from 'node:fs';

const file = process.env['WRONG_CLOCK_FILE'];
const LOOK_MS = 200;

if (file !== undefined && process.argv.includes('--host')) {
  const RealDate = Date;
  let aheadMs = 0;
  const look = (): void => {
    aheadMs = Number(readFileSync(file, 'utf8'));
  };
  look();
  setInterval(look, LOOK_MS).unref();
  globalThis.Date = new Proxy(RealDate, {
    get: (target, name, receiver): unknown =>
      name === 'now' ? () => RealDate.now() + aheadMs : Reflect.get(target, name, receiver),
    construct: (target, given: unknown[], newTarget): object =>
      Reflect.construct(target, given.length === 0 ? [RealDate.now() + aheadMs] : given, newTarget) as object,
  });
}
