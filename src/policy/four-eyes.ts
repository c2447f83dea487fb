/**
 * Four eyes: two people for one plan, the one who asked and another who approves. Pure. Names are claims: where the engine
 * authenticates nobody, whoever may talk to it may call himself as he likes, and the rule keeps honest people from
 * mistakes, no more.
 */

/** Absent where the system file does not ask for it. */
export interface FourEyes {
  /** Undefined when nobody knows who asked: then two others have to approve. */
  readonly asker: string | undefined;
}

/** `ana@laptop` and `Ana@server` are one person. */
export function isSamePerson(one: string, other: string): boolean {
  return nameOf(one) === nameOf(other);
}

/** Why this person may not approve, or undefined. */
export function whyNotThisOne(rule: FourEyes | undefined, by: string): string | undefined {
  if (rule?.asker === undefined || !isSamePerson(rule.asker, by)) return undefined;
  return `${by} asked for it, and this system wants four eyes: somebody else has to approve`;
}

/** How many more have to approve. Each person counts once, and the one who asked not at all. */
export function approvalsLacking(rule: FourEyes | undefined, approvers: readonly string[]): number {
  const people = new Set(approvers.filter((by) => whyNotThisOne(rule, by) === undefined).map(nameOf));
  const needed = rule !== undefined && rule.asker === undefined ? 2 : 1;
  return Math.max(0, needed - people.size);
}

function nameOf(by: string): string {
  const [name = ''] = by.trim().toLowerCase().split('@');
  return name.normalize('NFC');
}
