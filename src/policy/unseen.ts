/** What could not be looked at, so that its incidents stay as they are: that nothing was found there says nothing. Pure. */
import type { System } from '../system/types.ts';
import type { Unknown } from './findings.ts';
import { runsServices } from './services.ts';

export interface Unseen {
  /** Stores of which not everything could be read. */
  readonly unread: readonly { readonly store: string; readonly why: string }[];
  /** Hosts that were asked, whether they answered or not. */
  readonly hosts: readonly string[];
  /** A copy runs that may be what is missing. */
  readonly onItsWay: boolean;
}

/** Of an unread store nothing is known, nor what others lack of it; of hosts that were not asked neither. */
export function unseenOf(system: Pick<System, 'hosts' | 'components'>, { unread, hosts, onItsWay }: Unseen): Unknown[] {
  const ofStores = unread.flatMap(({ store, why }) =>
    [`corruption/${store}`, `total-size/${store}`, `clock/store/${store}`].map((what) => ({ what, why })),
  );
  const why = 'a store could not be read';
  const ofAll = unread.length > 0 ? ['copy', 'size'].map((what) => ({ what, why })) : [];
  const rules = onItsWay ? [{ what: 'copy/rule', why: 'copies are on their way' }] : [];
  const unasked = system.hosts.filter((host) => !hosts.includes(host));
  return [...ofStores, ...ofAll, ...rules, ...unasked.flatMap((host) => ofHost(system, host))];
}

function ofHost({ components }: Pick<System, 'components'>, host: string): Unknown[] {
  const why = `host ${host} is looked at by the monitor workflow`;
  const there = components.filter((component) => component.host === host);
  const services = there.some(runsServices) ? ['service'] : [];
  const own = [...there.flatMap(({ name }) => [`component/${name}`, `aside/${name}`]), ...services];
  const checks = ['disk', 'clock', 'tools', 'rights', 'engine'].map((check) => `${check}/${host}`);
  return [...own, ...checks].map((what) => ({ what, why }));
}
