/** Which hosts this machine is, over all registered systems; and ports as people write them. */
import { HoldfastError } from '../failures.ts';
import { localHost } from '../system/home.ts';
import { listSystems, loadSystem } from '../system/load.ts';

/** Throws BadInput when no system is registered, BadSystemFile when one can't be read. */
export async function hostsOfThisMachine(): Promise<string[]> {
  const registered = await listSystems();
  if (registered.length === 0) {
    throw new HoldfastError('BadInput', 'no system is registered here, so there is no host to work for', {
      hint: 'Register a system file with `holdfast init <file>`, or name a host with --host.',
    });
  }
  const systems = await Promise.all(registered.map(({ name }) => loadSystem(name)));
  return [...new Set(systems.map((system) => localHost(system)))];
}

export function portOption(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new HoldfastError('BadInput', `${option} ${text} is no port`, { hint: 'Write a number from 0 to 65535.' });
}
