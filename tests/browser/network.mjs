// A network between a page and a server, for tests to break.

import { once } from "node:events";
import { connect, createServer } from "node:net";

/** A way to the server at `target`, which is the test's to break; its `url` stands for the server's. */
export async function way(t, target) {
  const pairs = new Set();
  /** How many bytes of an answer pass before its connection breaks. */
  const network = { limit: () => Infinity, cuts: 0 };
  let latest;
  const server = createServer((near) => {
    const far = connect(new URL(target).port, "127.0.0.1");
    const pair = [near, far];
    pairs.add(pair);
    for (const socket of pair) socket.on("error", () => {}).on("close", () => (pairs.delete(pair), near.destroy(), far.destroy()));
    near.pipe(far);
    let left = network.limit();
    far.on("data", (bytes) => {
      latest = pair;
      near.write(bytes.subarray(0, left));
      left -= bytes.length;
      if (left <= 0) (network.cuts += 1), near.end(), far.destroy();
    });
  });
  /** Ends all connections, as a server's death or a change of networks does. */
  network.cut = () => pairs.forEach((pair) => pair.forEach((socket) => socket.destroy()));
  /** Lets nothing pass any more on the connection that something came over last, and tells neither end. */
  network.freeze = () => latest[1].removeAllListeners("data").resume();
  t.after(() => (server.close(), network.cut()));
  await once(server.listen(0, "127.0.0.1"), "listening");
  network.url = `http://127.0.0.1:${server.address().port}`;
  return network;
}
