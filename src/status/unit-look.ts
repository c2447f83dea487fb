/** Units of a system that are down, as `monitor` tells them. */
import { judgeUnit } from '../policy/unit-state.ts';
import type { ServiceSeen } from '../policy/host-look.ts';
import { unitManager } from '../systemd/manager.ts';
import type { SystemdComponent } from '../system/types.ts';

/** Each that is not as it should be. Throws SystemdUnreachable where no systemd runs them. */
export async function lookAtUnits(
  system: string,
  component: SystemdComponent,
  signal: AbortSignal,
): Promise<readonly ServiceSeen[]> {
  const seen = await unitManager(component).look(component.units, signal);
  return seen.flatMap((unit): ServiceSeen[] => {
    const verdict = judgeUnit(unit, Date.now());
    if (verdict.kind !== 'broken') return [];
    const { what, since, doubt } = verdict;
    const about = since === undefined ? what : `${what} since ${since}`;
    return [
      {
        component: component.name,
        subject: unit.name,
        what: doubt === undefined ? about : `${about}; ${doubt}`,
        hint: `See why and start it again: holdfast restart ${system}${doubt === undefined ? '' : ` ${unit.name}`}`,
        ...(since === undefined ? {} : { since }),
      },
    ];
  });
}
