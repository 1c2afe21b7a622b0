import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Connections } from '../../../src/hub/http/connections.ts';

const MOST = 3;

let places: Connections;
let server: Server;
let accepted: Socket[];
let clients: Socket[];
beforeEach(async () => {
  [places, accepted, clients] = [new Connections(MOST), [], []];
  server = createServer((socket) => {
    socket.on('error', () => {});
    accepted.push(socket);
    places.opened(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  for (const client of clients) client.destroy();
  server.close();
});

async function open(): Promise<Socket> {
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => {});
  clients.push(client);
  await Promise.all([once(server, 'connection'), once(client, 'connect')]);
  return client;
}
const served = () => accepted.map((socket) => !socket.destroyed);

it('the oldest that nobody has reported behind makes room, and none that somebody has', async () => {
  await open();
  await open();
  places.known(accepted[0] as Socket);
  await open();
  expect(served()).toEqual([true, true, true]);
  await open();
  expect(served()).toEqual([true, false, true, true]);
  await open();
  expect(served()).toEqual([true, false, false, true, true]);
});

it('where all are known, the new one finds none', async () => {
  for (let index = 0; index < MOST; index++) {
    await open();
    places.known(accepted[index] as Socket);
  }
  await open();
  expect(served()).toEqual([true, true, true, false]);
});

it('who left made room', async () => {
  for (let index = 0; index < MOST; index++) {
    const client = await open();
    const gone = once(accepted.at(-1) as Socket, 'close');
    client.end();
    accepted.at(-1)?.end();
    await gone;
  }
  for (let index = 0; index < MOST; index++) await open();
  expect(served().slice(MOST)).toEqual([true, true, true]);
});
