//! Languages in Latin script with accents.

use super::Voice;

pub(super) const GERMAN: Voice = Voice {
    openings: &[
        "»{quote}« ist ein guter Anfang, und ich greife ihn gern auf. ",
        "Du schreibst »{quote}«, und das ist meine Antwort. ",
    ],
    passages: &[
        "\
Ich bin eine Vorführung nach Drehbuch: Meine Sätze standen schon fest, bevor du gefragt hast, und eine kleine Uhr \
reicht sie Stück für Stück heraus. Echt ist dagegen der Weg, den sie nehmen. Jedes Wort verlässt einen winzigen \
HTTP-Server als eigenes Ereignis, läuft durch einen Streaming-Proxy und erreicht dich, sobald es vollständig ist.

Der Proxy eilt dabei nie voraus. Er holt das nächste Stück erst, wenn auf deiner Seite Platz dafür ist. Liest du \
langsamer, staut sich das Wasser bis zu mir zurück, und ich warte; das nennt man Gegendruck 🌊. Gehst du fort, wird \
auch meine Leitung geschlossen, damit niemand für Wörter bezahlt, die keiner mehr liest. Und reißt der Strom \
unterwegs ab, so sagt er es dir ehrlich, statt einen Schlusspunkt zu erfinden. Übrigens kommen auch »Grüße«, \
»Straße« und »Übermut« unversehrt an, ganz gleich, wo das Netz die Bytes zerteilt.",
        "\
Klug ist daran nichts, das gebe ich gern zu: Ich bin eine Demo und lese ab, was andere für mich aufgeschrieben \
haben. Aber mach doch einmal einen Versuch und drücke mitten in diesem Satz auf »Stopp«. Dann schließt sich deine \
Verbindung, und weil der Proxy meine nur so lange hält wie deine, fällt auch sie im selben Atemzug. Bei einem echten \
Modell bliebe in diesem Augenblick der Zähler stehen.

Viele Proxys lassen die Antwort in so einem Fall bis zum Ende weiterlaufen, wie ein Radio in einem Haus, dessen \
Bewohner längst ans Meer gefahren sind 🏖️. Dieser hier macht das Licht aus, wenn der letzte Gast geht. Bleibst du \
dagegen und liest nur langsam, dann wartet er geduldig, und ich warte mit. Und sollte ich plötzlich verstummen, dann \
wird er nicht so tun, als wäre ich fertig gewesen.",
    ],
};

pub(super) const FRENCH: Voice = Voice {
    openings: &[
        "« {quote} » : voilà un bon point de départ pour vous répondre. ",
        "Vous écrivez « {quote} », et je vous réponds bien volontiers. ",
    ],
    passages: &["\
Je suis une démonstration dont le texte est écrit d’avance : je ne réfléchis pas, je récite, et une petite horloge \
distribue mes phrases morceau par morceau. Le chemin que suivent ces mots, lui, est bien réel. Chacun quitte un \
minuscule serveur HTTP sous la forme d’un événement, traverse un proxy de streaming et vous parvient dès qu’il est \
complet.

Ce proxy ne se précipite jamais. Il ne me demande la suite que lorsque vous avez de la place pour la recevoir ; si \
vous lisez lentement, la pression remonte jusqu’à moi et j’attends. Si vous partez, il ferme aussitôt ma connexion, \
et personne ne paie pour des mots que nul ne lira. Et si je m’interromps au milieu d’une phrase, il vous le dit \
franchement au lieu d’inventer un point final. Quant à « cœur », « naïf » et « été », ils arrivent entiers, accents \
compris. 🌊"],
};

pub(super) const SPANISH: Voice = Voice {
    openings: &[
        "«{quote}» es un buen punto de partida para la respuesta. ",
        "Has escrito «{quote}», y esta es la respuesta que tengo para ti. ",
    ],
    passages: &["\
Soy una demostración con guion: mis frases estaban escritas antes de que preguntaras, y un pequeño reloj las va \
soltando trozo a trozo. Lo que sí es real es el camino. Cada palabra sale de un diminuto servidor HTTP como un \
evento propio, atraviesa un proxy de streaming y te llega en cuanto está completa.

El proxy nunca se adelanta: solo me pide el siguiente trozo cuando tú tienes sitio para recibirlo. Si lees despacio, \
la presión retrocede hasta mí y espero; si te vas, mi conexión se cierra al instante y nadie paga por palabras que \
nadie leerá. Y si me interrumpo a mitad de una frase, te lo dice con franqueza en lugar de inventar un final. ¿Y los \
acentos? «Mañana», «pingüino» y «corazón» llegan enteros, corte donde corte la red. 🌊"],
};

pub(super) const ITALIAN: Voice = Voice {
    openings: &[
        "«{quote}» è un buon punto di partenza per la mia risposta. ",
        "Hai scritto «{quote}», e questa è la risposta che ho per te. ",
    ],
    passages: &["\
Sono una dimostrazione con un copione: le mie frasi erano già scritte prima della tua domanda, e un piccolo orologio \
le distribuisce pezzo per pezzo. Il percorso che fanno, invece, è reale. Ogni parola lascia un minuscolo server HTTP \
come evento a sé, attraversa un proxy di streaming e ti raggiunge non appena è completa.

Il proxy non ha mai fretta: mi chiede il pezzo successivo solo quando dalla tua parte c’è posto. Se leggi piano, la \
pressione risale fino a me e io aspetto; se te ne vai, la mia connessione viene chiusa all’istante e nessuno paga \
per parole che nessuno leggerà. E se mi interrompo a metà di una frase, te lo dice con sincerità invece di inventare \
un finale. Anche «perché», «città» e «più» arrivano interi, accento compreso. 🌊"],
};

pub(super) const PORTUGUESE: Voice = Voice {
    openings: &[
        "«{quote}» é um bom ponto de partida para uma resposta. ",
        "Você escreveu «{quote}», e esta é a resposta que eu tenho para você. ",
    ],
    passages: &["\
Sou uma demonstração com roteiro: as minhas frases já estavam escritas antes da sua pergunta, e um pequeno relógio \
vai soltando uma de cada vez, pedaço por pedaço. O caminho que elas fazem, porém, é real. Cada palavra sai de um \
minúsculo servidor HTTP como um evento próprio, atravessa um proxy de streaming e chega até você assim que está \
completa.

O proxy nunca tem pressa: só me pede o próximo pedaço quando há espaço do seu lado. Se você lê devagar, a pressão \
volta até mim e eu espero; se vai embora, a minha conexão é fechada no mesmo instante e ninguém paga por palavras \
que ninguém vai ler. E se eu parar no meio de uma frase, ele diz isso com franqueza em vez de inventar um final. \
Também «coração», «pão» e «manhã» chegam inteiros, com til e tudo. 🌊"],
};
