/** Names given on the command line, checked where that is quick, so that a typing error costs no round trip. */
import { HoldfastError } from '../failures.ts';
import { parseDurationSeconds } from '../system/durations.ts';
import type { System } from '../system/types.ts';

/** A system that is registered on this machine; undefined when it isn't, since the engine may know it elsewhere. */
async function localSystem(name: string): Promise<System | undefined> {
  const { listSystems, loadSystem } = await import('../system/load.ts');
  const registered = await listSystems();
  // With systems registered here a name that is none of them is a mistake; loadSystem says which are known.
  return registered.length === 0 ? undefined : loadSystem(name);
}

/** Throws UnknownSystem, or BadInput for a plan that the system does not have. */
export async function checkPlan(systemName: string, plan: string): Promise<void> {
  const system = await localSystem(systemName);
  if (system === undefined || system.plans.some(({ name }) => name === plan)) return;
  const { nearest } = await import('../system/problems.ts');
  const names = system.plans.map(({ name }) => name);
  const guess = nearest(plan, names);
  throw new HoldfastError('BadInput', `${systemName} has no plan ${plan}; it has ${names.join(', ')}`, {
    hint: guess === undefined ? 'Name one of its plans.' : `Did you mean ${guess}?`,
  });
}

/** Throws UnknownSystem. */
export async function checkSystem(systemName: string): Promise<void> {
  await localSystem(systemName);
}

/** Whole seconds of an option such as `--wait 10m`. Throws BadInput. */
export function durationOption(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = parseDurationSeconds(text);
  if (seconds !== undefined) return seconds;
  throw new HoldfastError('BadInput', `${option} ${text} is no duration`, {
    hint: 'Write one such as 30s, 10m or 6h.',
  });
}

/** Who says it, when nobody is named: the person logged in on this machine. */
export async function whoAmI(): Promise<string> {
  const { hostname, userInfo } = await import('node:os');
  return `${process.env['SUDO_USER'] ?? userInfo().username}@${hostname()}`;
}
