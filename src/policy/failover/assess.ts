/**
 * Whether a site is really down, by what several places saw of it. One that can't see anything says nothing; one that was
 * answered outweighs all others. Pure.
 */

/** What one place saw, over a time. */
export interface VantageReport {
  readonly vantage: string;
  /** Two in one place are one. */
  readonly place: string;
  /**
   * `answers`: at least one of its looks was answered. `silent`: none was, though it reached what it always can reach.
   * `blind`: it did not reach that either.
   */
  readonly saw: 'answers' | 'silent' | 'blind';
  readonly looks: number;
  /** From the first look to the last. */
  readonly overMs: number;
  /** The last answer or error, in a few words. */
  readonly detail: string;
}

export interface AssessRule {
  /** Of places. */
  readonly quorum: number;
  readonly looks: number;
  readonly overMs: number;
}

export interface Assessment {
  readonly state: 'up' | 'down' | 'unknown';
  readonly reasons: readonly string[];
}

/** `down` only when enough places, none of them the only one, looked long enough and nobody was answered. */
export function assessSite(reports: readonly VantageReport[], rule: AssessRule): Assessment {
  const answered = reports.filter(({ saw }) => saw === 'answers');
  if (answered.length > 0) {
    return { state: 'up', reasons: answered.map(({ vantage, detail }) => `${vantage} was answered: ${detail}`) };
  }
  const counted = reports.filter((report) => whyNotCounted(report, rule) === undefined);
  const places = new Set(counted.map(({ place }) => place));
  const reasons = reports.map(
    (report) => `${report.vantage}: ${whyNotCounted(report, rule) ?? `silent, ${report.detail}`}`,
  );
  if (places.size >= rule.quorum) return { state: 'down', reasons };
  const lacking = `${places.size} of ${rule.quorum} places that have to agree saw it silent for long enough`;
  return { state: 'unknown', reasons: [lacking, ...reasons] };
}

function whyNotCounted({ saw, looks, overMs, detail }: VantageReport, rule: AssessRule): string | undefined {
  if (saw === 'blind') return `it reaches nothing itself, ${detail}`;
  if (looks < rule.looks) return `only ${looks} of ${rule.looks} looks`;
  if (overMs < rule.overMs) return `looked for ${seconds(overMs)} of ${seconds(rule.overMs)}`;
  return undefined;
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
