/** A container's health check: exits 0 when the address answers 200, else 1. */
import { get } from 'node:http';

const request = get(process.argv[2] ?? '', { timeout: 8_000 }, (response) => {
  process.exit(response.statusCode === 200 ? 0 : 1);
});
request.on('timeout', () => request.destroy());
request.on('error', () => process.exit(1));
