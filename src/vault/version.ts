/** The version that manifests say they were written by. */
import { readFileSync } from 'node:fs';

const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
export const HOLDFAST_VERSION: string = (JSON.parse(text) as { version: string }).version;
