/**
 * The metrics of the Temporal SDK's native part. It has an exporter of its own, which is bound to a free port on
 * loopback and read when this process is scraped, so that there is one page. Its names all begin with `temporal_`.
 */
import { freePort } from '../engine/ports.ts';

/** What Runtime.install is to be told, with the address to read from. */
export interface SdkExporter {
  readonly url: string;
  readonly options: {
    readonly bindAddress: string;
    readonly countersTotalSuffix: true;
    readonly unitSuffix: true;
    readonly useSecondsForDurations: true;
  };
}

const LIMIT_MS = 2_000;

export async function sdkExporter(): Promise<SdkExporter> {
  const bindAddress = `127.0.0.1:${await freePort()}`;
  return {
    url: `http://${bindAddress}/metrics`,
    // Names and units as Prometheus recommends them; the SDK's defaults are older.
    options: { bindAddress, countersTotalSuffix: true, unitSuffix: true, useSecondsForDurations: true },
  };
}

/** Its page, or undefined when it did not answer in time: then the rest is told without it. */
export async function readSdkMetrics(url: string): Promise<string | undefined> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(LIMIT_MS) });
    return answer.ok ? onlyOwn(await answer.text()) : undefined;
  } catch {
    return undefined;
  }
}

/** A name that is not the SDK's own could be told twice on one page, which no reader accepts. */
function onlyOwn(text: string): string {
  const own = text.split('\n').filter((line) => /^(?:# (?:HELP|TYPE) )?temporal_/.test(line));
  return own.length === 0 ? '' : `${own.join('\n')}\n`;
}
