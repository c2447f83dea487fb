/** Failovers whose names are in a zone of Route 53, under what may happen to its control plane; the sites change places each time. */
import { waitFor } from '../../sample/stack/processes.ts';
import type { NamesLed } from '../../src/workflows/failover-contract.ts';
import { Bed } from './bed.ts';
import { pause, powerOff, type Fault, type Struck } from './fault.ts';
import { NAMES, NamesStage } from './names-stage.ts';
import { Phases } from './phases.ts';
import { playRound, readyAgain } from './round.ts';

const LIMIT_MS = 120_000;

interface NamesFault {
  readonly name: string;
  strike(stage: NamesStage, signal: AbortSignal): Promise<void> | void;
  /** Of the name that is changed in the zone, then of the one that is switched. */
  readonly stands: readonly [string, string];
  /** The zone can't be read, so that its plan leaves that name out. */
  readonly unplanned?: true;
}

const FOR_A_WHILE_MS = 8000;

const NAMES_FAULTS: readonly NamesFault[] = [
  { name: 'all is well', strike: () => undefined, stands: ['here', 'here'] },
  {
    name: 'a change stays PENDING for long',
    strike: ({ fake }) => void (fake.pendingMs = 12_000),
    stands: ['here', 'here'],
  },
  {
    name: 'a change stays PENDING for longer than anybody waits',
    strike: ({ fake }) => void (fake.pendingMs = Number.POSITIVE_INFINITY),
    stands: ['on its way', 'here'],
  },
  { name: 'throttled for a while', strike: ({ fake }) => void (fake.throttling = 8), stands: ['here', 'here'] },
  { name: 'stranded twice', strike: ({ fake }) => void (fake.stranding = 2), stands: ['here', 'here'] },
  {
    name: 'refused for as long as it takes',
    strike: ({ fake }) => fake.protect(NAMES.changed, 'A'),
    stands: ['as before', 'here'],
  },
  {
    name: 'the control plane dies when the change has come, and comes back',
    strike: async ({ fake }, signal) => {
      const before = fake.batches.length;
      while (!signal.aborted && fake.batches.length === before) await pause(20, signal);
      fake.down = true;
      await pause(FOR_A_WHILE_MS, signal);
      fake.down = false;
    },
    stands: ['here', 'here'],
  },
  {
    name: 'the control plane is gone with the region: the switch leads',
    strike: (stage) => {
      stage.follows = NAMES.switched;
      stage.fake.down = true;
    },
    stands: ['here', ''],
    unplanned: true,
  },
];

/** All of them, one after another. Throws with what did not hold. */
export async function proveNames(say: (line: string) => void, signal: AbortSignal): Promise<number> {
  const bed = await Bed.open();
  let stage: NamesStage | undefined;
  let held = 0;
  try {
    await bed.begin();
    stage = await NamesStage.join(bed);
    bed.startClient();
    await readyAgain(bed, bed.sites[0], new Phases());
    let [active, standby] = bed.sites;
    for (const fault of NAMES_FAULTS) {
      if (signal.aborted) break;
      const names = await oneRound(bed, stage, { fault, active, standby }, signal);
      held += 1;
      say(`${fault.name}: ${names.entries?.map(({ title, standing }) => `${title} ${standing}`).join(', ') ?? ''}`);
      [active, standby] = [standby, active];
    }
    return held;
  } finally {
    await stage?.close();
    await bed.close();
  }
}

async function oneRound(
  bed: Bed,
  stage: NamesStage,
  { fault, active, standby }: Pick<Struck, 'active' | 'standby'> & { fault: NamesFault },
  over: AbortSignal,
): Promise<NamesLed> {
  const struck: Fault = {
    name: fault.name,
    before: async (how) => {
      await powerOff(how);
      stage.fake.arrive();
    },
    during: async ({ signal }) => {
      await fault.strike(stage, signal);
      // Until it has ended: then all is mended, and a person leads what was left.
      while (!signal.aborted) await pause(100, signal);
      stage.mend();
      await stage.leadByHand(standby);
      await waitFor(`all names to lead to ${standby.name}`, LIMIT_MS, async () =>
        (await stage.leadTo(standby)) ? true : undefined,
      );
      stage.follows = NAMES.changed;
    },
  };
  const { result } = await playRound(bed, { active, standby }, { fault: struck, part: 0.5, step: '' }, over);
  const { names, plan } = result;
  if (names === undefined)
    throw new Error(`${fault.name}: no names were led: ${JSON.stringify(result).slice(0, 2000)}`);
  const stands = names.entries?.map(({ standing }) => standing) ?? [];
  const isAsSaid = fault.stands.filter((one) => one !== '').join() === stands.join();
  const isPlanned = (plan?.names?.unplanned === undefined) === (fault.unplanned === undefined);
  if (!isAsSaid || !isPlanned) throw new Error(`${fault.name}: ${stands.join()}: ${names.lines.join('; ')}`);
  return names;
}
