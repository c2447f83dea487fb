/** What a prune cleans beside backups and their objects: keys of epochs that nothing uses, objects put aside. Pure. */

const DAY_SECONDS = 24 * 3600;
/** So long what was put aside can be looked at. */
export const ASIDE_SECONDS = 30 * DAY_SECONDS;

export interface LeftoverDecision {
  readonly key: string;
  readonly keep: boolean;
  /** In words, for people. */
  readonly why: string;
}

/** `keys/<epoch>` as the store has it. */
export interface EpochFact {
  readonly key: string;
  readonly epoch: string;
  readonly storedAtMs: number;
}

export interface EpochUse {
  /** Of the recipients that the system file names now. */
  readonly current: string;
  /** By every manifest that is there, trusted or not, of backups and of safety backups. */
  readonly named: ReadonlySet<string>;
  /** By the records of captures, copies and healings that may still commit. */
  readonly open: ReadonlySet<string>;
  /** Why it is not known what some manifest or record names. */
  readonly unknown: readonly string[];
  /** Pieces of a log name their epoch too, each inside of itself. */
  readonly holdsLog: boolean;
}

/** A key goes only when nobody can need it: losing one costs no restore, but the comparing of content with its name. */
export function decideEpochs(
  epochs: readonly EpochFact[],
  use: EpochUse,
  times: { readonly nowMs: number; readonly minimumAgeSeconds: number },
): LeftoverDecision[] {
  return epochs.map(({ key, epoch, storedAtMs }) => {
    const stays = (why: string): LeftoverDecision => ({ key, keep: true, why });
    if (epoch === use.current) return stays('the epoch of the recipients of today');
    if (use.named.has(epoch)) return stays('a backup names it');
    if (use.open.has(epoch)) return stays('a capture that is open names it');
    const [unknown] = use.unknown;
    if (unknown !== undefined) return stays(`nobody knows all that is named: ${unknown}`);
    if (use.holdsLog) return stays('pieces of a write-ahead log may name it');
    if (times.nowMs - storedAtMs < times.minimumAgeSeconds * 1000) return stays('it is too young');
    return { key, keep: false, why: 'the key of an epoch that no backup names any more' };
  });
}

/** One name in `quarantine/`. */
export interface AsideFact {
  readonly key: string;
  /** What it is of. */
  readonly object: string;
  /** The bytes as they were found, or the record of what became of them. */
  readonly kind: 'bytes' | 'record';
  readonly storedAtMs: number;
}

export interface AsideUse {
  /** Some manifest names the object, or it is no object that manifests name. Undefined: that is not known. */
  readonly named: boolean | undefined;
  /** When what lies under the name now came there; undefined when nothing does. */
  readonly thereSinceMs?: number;
  /** The newest reading of it found it bad. */
  readonly bad: boolean;
}

/**
 * The bytes go when they are old and a good object has the name again or nothing names it. The record's name tells hosts
 * that were away to look whether the object is there: it stays until it is, because one that believes in an object which
 * is gone would leave it out of a backup. So does a name without its record.
 */
export function decideAside(
  facts: readonly AsideFact[],
  useOf: (object: string) => AsideUse,
  times: { readonly nowMs: number; readonly asideSeconds?: number },
): LeftoverDecision[] {
  const { nowMs, asideSeconds = ASIDE_SECONDS } = times;
  const told = new Set(facts.flatMap(({ key, kind }) => (kind === 'record' ? [key.slice(0, -'.json'.length)] : [])));
  return facts.map((fact) => {
    const { key, object, kind, storedAtMs } = fact;
    const stays = (why: string): LeftoverDecision => ({ key, keep: true, why });
    const use = useOf(object);
    if (nowMs - storedAtMs < asideSeconds * 1000)
      return stays(`put aside less than ${asideSeconds / DAY_SECONDS} days ago`);
    if (isGoodAgain(fact, use)) return { key, keep: false, why: `${object} is good again` };
    if (use.bad) return stays(`${object} is bad again`);
    if (kind === 'bytes' && use.named === false && told.has(key)) {
      return { key, keep: false, why: `nothing names ${object} any more` };
    }
    return stays(
      kind === 'record' ? `hosts that were away have to learn that ${object} is gone` : `${object} is needed`,
    );
  });
}

/** What came under the name after the bad bytes were put aside: a healing, or a capture, stored it. */
function isGoodAgain({ kind, storedAtMs }: AsideFact, { thereSinceMs, bad }: AsideUse): boolean {
  if (thereSinceMs === undefined || bad) return false;
  // The record is written after the good bytes.
  return kind === 'record' || thereSinceMs >= storedAtMs;
}
