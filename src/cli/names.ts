/** Names given on the command line, checked where that is quick, so that a typing error costs no round trip. */
import { HoldfastError } from '../failures.ts';
import { parseDurationSeconds } from '../system/durations.ts';
import { listSystems, readText } from '../system/register.ts';

/** Where the system's file lies; undefined when no system is registered here, since the engine may know it elsewhere. */
async function registeredFile(name: string): Promise<string | undefined> {
  const registered = await listSystems();
  const found = registered.find((system) => system.name === name);
  if (found?.path !== undefined || registered.length === 0) return found?.path;
  const { loadSystem } = await import('../system/load.ts');
  // Throws, and says which are known, or what is wrong with the entry.
  return (await loadSystem(name)).sourcePath;
}

/** Throws UnknownSystem. */
export async function checkSystem(name: string): Promise<void> {
  await registeredFile(name);
}

/**
 * Throws UnknownSystem, or BadInput for a plan that the system does not have. Parsing the file costs as much time as all
 * the rest of a start, so it is parsed only when the plan's name is nowhere in its text; the workflow checks in any case.
 */
export async function checkPlan(systemName: string, plan: string): Promise<void> {
  const file = await registeredFile(systemName);
  if (file === undefined || (await readText(file)).includes(plan)) return;
  const [{ loadSystemFile }, { planOf }] = await Promise.all([
    import('../system/load.ts'),
    import('../status/of-system.ts'),
  ]);
  planOf(await loadSystemFile(file), plan);
}

/** Throws UnknownSystem, or BadInput for a store that the system does not have; undefined names none. */
export async function checkStores(systemName: string, ...stores: readonly (string | undefined)[]): Promise<void> {
  const file = await registeredFile(systemName);
  if (file === undefined || stores.every((name) => name === undefined)) return;
  const [{ loadSystemFile }, { storeOf }] = await Promise.all([
    import('../system/load.ts'),
    import('../status/of-system.ts'),
  ]);
  const system = await loadSystemFile(file);
  for (const name of stores) if (name !== undefined) storeOf(system, name);
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
