import { useCallback, useEffect, useState } from "react";

const EVERY_MILLISECONDS = 2_000;

/** What agents wait for, with exactly what would be sent. A yes runs it; the agent hears of it when it asks again. */
export function Approvals() {
  const [waiting, setWaiting] = useState([]);
  const [said, setSaid] = useState("");

  const look = useCallback(async () => {
    const answer = await fetch("/api/approvals");
    if (answer.ok) setWaiting(await answer.json());
  }, []);

  useEffect(() => {
    look();
    const timer = setInterval(look, EVERY_MILLISECONDS);
    return () => clearInterval(timer);
  }, [look]);

  async function decide({ id, planHash }, approve) {
    const body = JSON.stringify({ id, planHash, approve });
    const answer = await fetch("/api/approvals", { method: "POST", headers: { "content-type": "application/json" }, body });
    const { approval, errors, error } = await answer.json();
    setSaid(error ?? errors?.[0]?.message ?? approval.status.toLowerCase());
    await look();
  }

  return (
    <aside>
      <h2>Waiting for you</h2>
      <p role="status">{said}</p>
      {waiting.length === 0 && <p>Nothing waits.</p>}
      {waiting.map((each) => (
        <article key={each.id}>
          <p>
            <strong>{each.execution.agent?.name ?? "Somebody"}</strong> asks: {each.summary}
          </p>
          <pre>{JSON.stringify(each.execution.parameters, null, 2)}</pre>
          <button onClick={() => decide(each, true)}>Yes, once</button> <button onClick={() => decide(each, false)}>No</button>
        </article>
      ))}
    </aside>
  );
}
