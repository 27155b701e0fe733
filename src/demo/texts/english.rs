//! English, the language the demo speaks in doubt, with a few pieces that exist only here.

use super::Voice;

pub(super) const VOICE: Voice = Voice {
    openings: &[
        "“{quote}” is a fine place to start. ",
        "You wrote “{quote}”, and this is what I have to say. ",
        "“{quote}”: let me take that up, as far as a script can. ",
        "I was hoping that somebody would bring up “{quote}”. ",
    ],
    passages: &[PRESSURE, LEAVING, HONESTY, JOURNEY],
};

const PRESSURE: &str = "\
I am a scripted demo, so I will not pretend to have thought about it: my lines were written long ago, and a small \
clock hands them out piece by piece. What happens to them on the way is real, though. Every word you see left a tiny \
HTTP server as an event of its own, was picked up by a streaming proxy, and was passed on to you the moment it was \
whole.

The proxy's best trick is that it never hurries ahead. It asks me for more only when your side has room for more. \
Stop reading, and the few kilobytes between us fill up, the pressure travels back through the proxy, and I find that \
I cannot write until you return. That is backpressure 🌊: no growing queue, no naïve buffer that swells until the \
machine falls over. A slow reader costs a chair in the café, so to speak, and never the whole kitchen.";

const LEAVING: &str = "\
None of this is clever, by the way; I am a demo with a script, and the script was here before you were. But try \
something: press stop in the middle of this sentence. You will have made the most important experiment one can make \
with a streaming proxy.

When you leave, your connection closes. The proxy holds my connection only for as long as it holds yours, so mine is \
dropped in the same breath, within about a millisecond, whether I am talking, thinking or have not even begun. With \
a real model that is the moment the meter stops: nobody goes on paying for words that no one will read. Many proxies \
get this wrong. They let the answer run on to its end in an empty room, like a radio in a house whose people have \
gone to the seaside 🏖️. Here the lights go out with the last guest — and that, I think, is good manners rather than \
façade.";

const HONESTY: &str = "\
I should confess at once that I am only a scripted demo. Confessing is rather the point: the proxy between us has \
firm views about honesty, and they concern endings above all.

A stream can end in several ways. I may finish what I had to say, and then I say so with a finish reason and a last, \
formal goodbye. Or I may break off: a cable is pulled, a process dies, a minute goes by in silence. A careless proxy \
turns both into the same polite full stop, and half an answer is stored as a whole one. This one does not. It never \
invents an ending; if I am cut off, you are told so in plain words, in the language your client speaks. Ask the \
model called demo-flaky, and watch. 🔌 Meanwhile, here are some characters of two, three and four bytes, to show that \
nothing is lost in transit: é, ß, €, 語, 🦀.";

const JOURNEY: &str = "\
What follows was scripted beforehand, I admit it freely; I am a demo, and a clock is the nearest thing I have to a \
mind. Still, let me tell you about the journey of the word “déjà”, which you have just received.

It set out from me as one event of a few hundred bytes. Somewhere in the network it may have been torn apart between \
the two bytes of “é”, because networks know nothing of letters. The proxy waited until the event was complete, \
looked at it just long enough to count it, and sent the very same bytes on. It did not collect me into one large \
answer, it did not reformat me, and it kept no copy for longer than it took to hand me over. If your client speaks \
another dialect than I do, the proxy translates, word by word and still without waiting for the end. Then “vu” \
followed, and so on, all the way down the river. 🛶";

/// For whoever asks for a poem.
pub(in super::super) const POEM: &str = "\
A poem, then — from a script, as everything I say, but a poem all the same:

The river does not ask the sea
how much of it there still may be;
it brings its water, cup by cup,
and waits when someone drinks it up.

The gate that stands between the two
lets only what is wanted through:
it holds no lake behind its wall,
it keeps no drop of it at all.

And if the spring should cease to flow,
the gate will not pretend. “I know
no end to this,” it says. “It broke.
Here is the last word that it spoke.”

So read as slowly as you please,
or leave, and let the water cease:
no mill will turn, no lamp will burn
for guests who never will return. 🌊

It is about backpressure, cancellation and honest ends, in case the rhymes got in the way. That such a small naïveté \
rhymes at all is the whole of my art.";

/// For whoever asks for code.
pub(in super::super) const CODE: &str = "\
I can only recite what is in my script, but there happens to be some Rust in it 🦀. This is a streaming proxy without \
its coat:

```rust
async fn relay(mut upstream: Upstream, mut client: Client) -> Result<(), Cut> {
    while let Some(frame) = upstream.next().await {
        client.send(frame?).await?; // waits for as long as the client is slow
    }
    Ok(())
}
```

Three promises are kept in these six lines. The `await` on `send` is the backpressure: no frame is fetched before \
the last one has found room. The question mark on `frame` is the honesty: a stream that breaks off ends as an error \
and never as an answer. And the cancellation is what you cannot see: when the client leaves, this function is \
dropped, and `upstream` with it, which closes the connection to the model. Everything else — retries, timeouts, \
translation, the naïve hope that networks are reliable — is the coat.";

/// What the thinking model thinks.
pub(in super::super) const REASONING: &str = "\
The user has sent me a message, so let me see what I have. I am a demo with a script, which narrows the choice \
considerably. First question: which language is it in? I count a few common words and look at the script; that is \
usually enough. Second question: what would be useful? They are probably trying out the proxy, so they will want to \
see that the long silence before this thought did not break anything: the connection was kept alive, nobody timed \
out, and no token was invented to fill the gap. Third question: how long should I go on? Long enough for someone to \
press stop in the middle of my reasoning and to see that it stops. I think that is everything. Let me pick a \
passage, put their own words at the front, and answer.";
