"""Words that mail programs write by themselves, in some forty languages.

Job: data, and nothing else, for whoever takes a mail apart: the verbs of attribution lines ("Bob wrote:"), month and
day names, separators, phone signatures, banners, disclaimers. Everything is in lower case; compare with `lines.fold`.
Core: imports nothing. Leaves out the labels of header blocks ("From:", "Von:", "发件人："), which are in
`phrases/forward.toml`, and every rule: which of these words prove something is said in `attribution.py`, `quotes.py`
and `signature.py`.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _phrases(text: str) -> frozenset[str]:
    return frozenset(line.strip() for line in text.splitlines() if line.strip())


# The verb of "on such a day somebody WROTE:", as single words (letters only: "napisał(a)" is found as "napisał").
WROTE = _words(
    """
    wrote writes wrotes escrit escribiren писали написали
    schrieb schrieben geschrieben schreibt
    écrit ecrit écrivait
    escribió escribio escribe escrigué
    escreveu escribiu
    scritto scrive
    schreef geschreven schrijft
    skrev skreiv skrifaði reit
    kirjoitti
    napisał napisała napisali napisana napisane pisze napisano
    napsal napsala napísal napísala
    írta
    scris
    yazdı
    написал написала написано пишет писал написав написала пише написа
    έγραψε
    כתב כתבה
    كتب كتبت نوشت
    viết
    menulis
    kirjutas rakstīja raksta rašė parašė
    napisao napisala napisaše pisao
    idatzi
    shkroi
    написао
    წერს დაწერა գրել գրեց aliandika ysgrifennodd scríobh geskryf geschriwwen kiteb লিখেছেন எழுதியது напиша жазды
    """
)

# Who never stands beside that verb in an attribution: its own writer.
FIRST_PERSON = _words("we ich wir nous jag vi jeg ik wij yo nosotros eu nós io noi minä")
WE_HAVE = ("avons", "ai", "hemos", "abbiamo")
TO_ME = ("me", "us", "mir", "uns", "mig", "oss", "ons", "mij")  # "Bo wrote me:", which no program writes

# The same where words are not parted by spaces: looked for anywhere in the line.
WROTE_PARTS = (
    "写道", "寫道", "写到", "来信", "のメッセージ", "のメール", "書きました", "作成", "작성", "썼습니다",
    "님의 메시지", "쓴 글", "เขียน", "लिखा",
)  # fmt: skip

# Openings that stand for the verb: "Quoting Bob <bob@example.org>:".
WROTE_PHRASES = (
    "quoting ", "zitat von ", "citeren ", "citerar ", "citat från ", "citat av ", "cytowanie ", "citace ", "citát ",
    "lainaus ", "idézet ", "posted by ", "citando ", "in message ", "in article ", "missatge de ",
    "citation de ", "said the following", "message from ",
)  # fmt: skip
# Openings of attributions that are not followed by a date.
ATTRIBUTION_STARTS = (
    "ในวันที่", "เมื่อ", "Quoting ", "Zitat von ", "In message <", "In article <", "Wiadomość napisana",
    "Missatge de ",
)  # fmt: skip

# The word that opens an attribution and is followed at once by a date: "On Mon, …", "Am 3.5.", "W dniu …".
OPENERS = _words(
    """
    on at dated am le el il em no na op den på w dnia dne dňa dana v vo ve pada vào în la a om kl del em lúc u
    в на у от след на στις στο την την το
    kuupäeval в pe ma ti ke to pe la su in il dia giorno data date dniu die den
    בתאריך ב ביום في بتاريخ در يوم 在 于 於
    le sur ngày tanggal þann ngày lúc o ở
    """
)

MONTHS = _words(
    """
    january february march april may june july august september october november december
    jan feb mar apr jun jul aug sep sept oct nov dec
    januar februar märz maerz mai juni juli oktober dezember jänner feber mrz okt dez
    januari februari maart mei augustus mrt
    janvier février fevrier mars avril juin juillet août aout septembre octobre novembre décembre decembre
    janv févr fevr avr juil déc
    enero febrero marzo abril mayo junio julio agosto septiembre setiembre octubre noviembre diciembre
    ene abr ago dic
    janeiro fevereiro março marco maio junho julho setembro outubro novembro dezembro fev set out
    gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre gen mag giu lug ott
    maj augusti
    marts desember des janúar febrúar apríl maí júní júlí ágúst nóvember
    tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesäkuuta heinäkuuta elokuuta syyskuuta lokakuuta
    marraskuuta
    joulukuuta tammi helmi maalis huhti touko kesä heinä elo syys loka marras joulu tammik helmik maalisk huhtik
    toukok
    kesäk heinäk elok syysk lokak marrask jouluk
    stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia
    sty lut kwi cze lip sie wrz paź lis gru styczeń luty marzec kwiecień czerwiec lipiec sierpień wrzesień październik
    listopad grudzień
    ledna února unora března brezna dubna května kvetna června cervna července cervence srpna září zari října rijna
    listopadu prosince led úno bře dub kvě čer čvc srp zář říj pro
    januára februára apríla mája júna júla augusta septembra októbra novembra decembra
    január február március április május június július augusztus szeptember október november
    márc ápr máj jún júl szept
    ianuarie februarie martie aprilie mai iunie iulie septembrie octombrie noiembrie decembrie ian iun iul noi
    ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık oca şub nis haz tem ağu eyl eki kas ara
    января февраля марта апреля мая июня июля августа сентября октября ноября декабря
    янв февр фев мар апр июн июл авг сент сен окт нояб ноя дек
    січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня
    січ лют бер квіт трав черв лип серп вер жовт лист груд
    януари февруари март април май юни юли август септември октомври ноември декември
    siječnja veljače ožujka travnja svibnja lipnja srpnja kolovoza rujna listopada studenoga prosinca
    sij velj ožu tra svi kol ruj stu januara februara aprila juna jula avgusta septembra oktobra decembra
    ιανουαρίου φεβρουαρίου μαρτίου απριλίου μαΐου ιουνίου ιουλίου αυγούστου σεπτεμβρίου οκτωβρίου νοεμβρίου δεκεμβρίου
    ιαν φεβ μαρ απρ μαΐ ιουν ιουλ αυγ σεπ οκτ νοε δεκ
    ינואר פברואר מרץ אפריל מאי יוני יולי אוגוסט ספטמבר אוקטובר נובמבר דצמבר
    בינואר בפברואר במרץ באפריל במאי ביוני ביולי באוגוסט בספטמבר באוקטובר בנובמבר בדצמבר
    ינו פבר מרץ אפר יונ יול אוג ספט אוק נוב דצמ בדצמ בנוב באוק בספט באוג בפבר בינו
    يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر
    ژانویهٔ ژانویه فوریه مارس آوریل مه ژوئن ژوئیه اوت سپتامبر اکتبر نوامبر دسامبر
    فروردین اردیبهشت خرداد تیر مرداد شهریور مهر آبان آذر دی بهمن اسفند
    januari februari maret april juni juli agustus oktober desember peb agt
    thg tháng
    ม ค ก พ มี เม พฤษภาคม
    jaanuar veebruar märts aprill juuni juuli detsember
    janvāris februāris marts aprīlis maijs jūnijs jūlijs augusts septembris oktobris novembris decembris
    sausio vasario kovo balandžio gegužės birželio liepos rugpjūčio rugsėjo spalio lapkričio gruodžio
    gener febrer març abril maig juny juliol agost setembre octubre novembre desembre
    urtarrila otsaila martxoa apirila maiatza ekaina uztaila abuztua iraila urria azaroa abendua
    """
)

DAYS = _words(
    """
    monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun
    montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag mo di mi do fr sa so
    maandag dinsdag woensdag donderdag vrijdag zaterdag zondag ma di wo do vr za zo
    lundi mardi mercredi jeudi vendredi samedi dimanche lun mar mer jeu ven sam dim
    lunes martes miércoles miercoles jueves viernes sábado sabado domingo mié mie jue vie sáb dom
    segunda terça quarta quinta sexta feira seg ter qua qui sex sab
    lunedì martedì mercoledì giovedì venerdì sabato domenica gio
    måndag tisdag onsdag torsdag fredag lördag söndag mån tis ons tors tor fre lör sön
    mandag tirsdag lørdag søndag man tir tirs tors ons fre lør søn
    maanantai tiistai keskiviikko torstai perjantai lauantai sunnuntai ma ti ke to pe la su
    mánudagur þriðjudagur miðvikudagur fimmtudagur föstudagur laugardagur sunnudagur
    poniedziałek wtorek środa czwartek piątek sobota niedziela poniedziałku środę sobotę niedzielę pon wt śr czw pt
    sob niedz
    pondělí úterý středa čtvrtek pátek sobota neděle po út st čt pá so ne pondelok utorok streda štvrtok piatok nedeľa
    hétfő kedd szerda csütörtök péntek szombat vasárnap
    luni marți miercuri joi vineri sâmbătă duminică
    pazartesi salı çarşamba perşembe cuma cumartesi pazar pzt sal çar per cum cmt paz
    понедельник вторник среда четверг пятница суббота воскресенье пн вт ср чт пт сб вс
    понеділок вівторок середа четвер пятниця субота неділя нд
    понеделник сряда четвъртък петък събота неделя
    ponedjeljak utorak srijeda četvrtak petak subota nedjelja ponedeljak sreda nedelja pon uto sri čet pet sub ned
    δευτέρα τρίτη τετάρτη πέμπτη παρασκευή σάββατο κυριακή δευ τρι τετ πεμ παρ σαβ κυρ
    יום שני שלישי רביעי חמישי שישי שבת ראשון
    الاثنين الإثنين الثلاثاء الأربعاء الخميس الجمعة السبت الأحد
    دوشنبه سه‌شنبه چهارشنبه پنجشنبه جمعه شنبه یکشنبه
    senin selasa rabu kamis jumat sabtu minggu
    thứ hai ba tư năm sáu bảy cn
    dilluns dimarts dimecres dijous divendres dissabte diumenge
    """
)

# In a line between dashes ("-----Original Message-----") one of these makes it a separator …
SEPARATOR_WORDS = _words(
    """
    original forwarded forward reply replied originalnachricht ursprüngliche weitergeleitete weitergeleitet
    antwort transféré origine d'origine initial réexpédié transférée reenviado encaminhada reencaminhada
    originale inoltrato oorspronkelijk doorgestuurd oorspronkelijke origineel ursprungligt ursprungsmeddelande
    originalmeddelande vidarebefordrat vidarebefordrad oprindelig videresendt opprinnelig alkuperäinen välitetty
    edelleenlähetetty framsent upprunalegt oryginalna przekazana przesłana dalej přeposlaná původní pôvodná
    preposlaná eredeti továbbított redirecționat iletilen özgün orijinal пересылаемое исходное пересланное
    переадресованное переслане оригінальне переадресоване препратено оригинално izvorna proslijeđena prosleđena
    izvirno posredovano αρχικό προωθημένο הועברה מקורית الأصلية المُعاد محولة diteruskan asli gốc chuyển tiếp
    reenviat edastatud algne algsõnum sākotnējais pārsūtītā pradinis persiųstas вихідне початкове
    переадресованого перенаправленное áframsendur
    """
)
# … and one of these, when hardly anything else stands there: "--- Mail server migration ---" is a title.
SEPARATOR_NOUNS = _words(
    """
    message messages mail email e-mail nachricht mensaje mensagem messaggio bericht meddelande brev
    svarsmeddelande meddelelse besked melding viesti skeyti wiadomość wiadomosc zpráva správa üzenet mesaj
    mesajul ileti сообщение письмо повідомлення лист съобщение poruka poruku sporočilo μήνυμα הודעה رسالة
    الرسالة پیام pesan thư missatge kiri vēstule laiškas mejl mejlet ziņojums ziņa pranešimas teade порука e
    epost póstur mel courriel correo
    """
)
SEPARATOR_PARTS = (
    "邮件", "郵件", "转发", "轉寄", "原始", "メッセージ", "メール", "転送", "메시지", "메일", "전달", "원본",
    "ข้อความ",
)  # fmt: skip

# A whole line that says by itself that an older mail follows (dashes and the colon taken off).
SEPARATOR_LINES = _phrases(
    """
    reply separator
    forward header
    begin forwarded message
    start of forwarded message
    forwarded message
    original message
    reply message
    previous message
    anfang der weitergeleiteten nachricht
    anfang der weitergeleiteten e-mail
    weitergeleitete nachricht
    ursprüngliche nachricht
    originalnachricht
    début du message réexpédié
    début du message transféré
    message transféré
    message d'origine
    inicio del mensaje reenviado
    mensaje reenviado
    mensaje original
    início da mensagem encaminhada
    início da mensagem reencaminhada
    mensagem encaminhada
    mensagem original
    inizio messaggio inoltrato
    inizio del messaggio inoltrato
    messaggio inoltrato
    messaggio originale
    begin doorgestuurd bericht
    doorgestuurd bericht
    oorspronkelijk bericht
    vidarebefordrat brev
    vidarebefordrat mejl
    vidarebefordrat meddelande
    början på vidarebefordrat meddelande
    ursprungligt meddelande
    originalmeddelande
    start på videresendt besked
    start på videresendt meddelelse
    begynnelse på videresendt besked
    videresendt besked
    videresendt meddelelse
    oprindelig besked
    oprindelig meddelelse
    videresendt melding
    starten på videresendt melding
    begynnelsen på videresendt melding
    opprinnelig melding
    välitetty viesti
    välitetty viesti alkaa
    alkuperäinen viesti
    początek przekazywanej wiadomości
    początek przekazanej wiadomości
    przekazana wiadomość
    wiadomość oryginalna
    začátek přeposílané zprávy
    přeposlaná zpráva
    původní zpráva
    začiatok preposielanej správy
    pôvodná správa
    továbbított üzenet
    továbbított levél kezdete
    eredeti üzenet
    începutul mesajului redirecționat
    mesaj redirecționat
    mesajul original
    iletilen ileti
    iletilmiş mesajın başlangıcı
    orijinal ileti
    начало переадресованного сообщения
    пересылаемое сообщение
    исходное сообщение
    початок переадресованого повідомлення
    початок листа, що пересилається
    переслане повідомлення
    začetak proslijeđene poruke
    započetak proslijeđene poruke
    prosleđena poruka
    proslijeđena poruka
    αρχή προωθημένου μηνύματος
    προωθημένο μήνυμα
    αρχικό μήνυμα
    תחילת ההודעה שהועברה
    بدء الرسالة المُعاد توجيهها
    مبعوث الرسالة
    开始转发的邮件
    转发的邮件
    原始邮件
    開始轉寄郵件
    轉寄的郵件
    原始郵件
    転送されたメッセージ
    元のメッセージ
    전달된 메시지
    원본 메시지
    bắt đầu thư được chuyển tiếp
    awal pesan yang diteruskan
    pesan asli
    """
)

# What other systems set above the mails that they send: one of these in a short line.
REPLY_ABOVE = (
    "reply above this line", "reply above the line", "type your reply above", "respond above this line",
    "write your reply above", "write above this line", "add your reply above", "oberhalb dieser linie antworten",
    "antworten sie oberhalb dieser", "bitte oberhalb dieser", "über dieser zeile antworten",
    "au-dessus de cette ligne", "ci-dessus de cette ligne", "encima de esta línea", "acima desta linha",
    "sopra questa riga", "al di sopra di questa", "boven deze regel", "boven deze lijn", "ovanför denna rad",
    "ovanför den här raden", "över denna rad", "over denne linje", "over denne linjen", "tämän rivin yläpuolelle",
    "powyżej tej linii", "nad tímto řádkem", "original message processed by",
)  # fmt: skip

# How a phone, an app or a web mail signs by itself. `^` = the line begins so; others anywhere in a short line.
PHONE_STARTS = _phrases(
    """
    sent from
    sent via
    sent with
    sent using
    sent by my
    sent by galaxy
    sent through my
    sent on the move
    sent on the go
    sent while mobile
    securely sent with
    sent securely
    sent by outlook
    send from my
    from my iphone
    from my ipad
    from my android
    from my phone
    from my mobile
    from my blackberry
    from my samsung
    get outlook for
    download outlook for
    typed on my
    typed on a
    typed from
    written on a
    dictated to
    dictated with
    dictated using
    dictated by
    get bluemail
    get nine
    get spark
    typed with thumbs
    dictated on my
    written on my phone
    gesendet von
    gesendet mit
    gesendet über
    gesendet aus
    gesendet via
    gesendet vom
    diese nachricht wurde von meinem
    diese e-mail wurde von meinem
    diese nachricht wurde mit
    holen sie sich outlook
    outlook für
    envoyé de
    envoyé depuis
    envoyé à partir
    envoyé par
    envoyé via
    envoyé avec
    envoyé du
    envoye de mon
    envoye depuis mon
    obtenez outlook
    provenance
    télécharger outlook
    téléchargez outlook
    enviado desde
    enviado con
    enviado a través
    enviado mediante
    enviado do
    enviado de
    enviado da
    enviado dari
    enviado a partir
    enviado através
    enviado pelo
    enviado via
    enviado com
    enviada do
    obtener outlook
    obtenga outlook
    obtén outlook
    consigue outlook
    descargar outlook
    obter o outlook
    obtenir outlook
    stáhnout outlook
    stiahnuť outlook
    загрузить outlook
    завантажити outlook
    preuzmite outlook
    prenesite outlook
    hankige outlook
    atsisiųskite „outlook
    gaukite „outlook
    iegūt outlook
    obteniu l'outlook
    tải outlook
    รับ outlook
    קבל את outlook
    الحصول على outlook
    取得 ios
    取得 android
    obtenha o outlook
    baixe o outlook
    baixar o outlook
    inviato da
    inviato dal
    inviato con
    inviato tramite
    inviata da
    ottieni outlook
    scarica outlook
    verzonden vanaf
    verzonden met
    verzonden via
    verzonden vanuit
    verzonden van mijn
    verstuurd vanaf
    verstuurd met
    verstuurd via
    verstuurd vanuit
    verstuurd van mijn
    outlook voor
    download outlook voor
    skickat från
    skickat med
    skickat via
    skickades från
    skickat ifrån
    sänt från
    från min
    hämta outlook
    skaffa outlook
    sendt fra
    sendt med
    sendt via
    sendt på farten
    send fra min
    hent outlook
    få outlook
    skaff deg outlook
    last ned outlook
    lähetetty
    hanki outlook
    lataa outlook
    sent úr
    sendt úr
    sent frá
    wysłano z
    wysłano ze
    wysłano za pomocą
    wysłane z
    wysłane ze
    wysłane za pomocą
    pobierz outlook
    pobierz program outlook
    pobierz aplikację outlook
    uzyskaj outlook
    odesláno z
    odesláno ze
    odesláno pomocí
    odoslané z
    odoslané zo
    odoslané cez
    získat outlook
    získajte outlook
    získať outlook
    elküldve
    trimis de pe
    trimis din
    trimis de la
    obțineți outlook
    descărcați outlook
    отправлено с
    отправлено из
    отправлено от
    отправлено через
    послано с
    получить outlook
    скачать outlook
    скачайте outlook
    надіслано з
    надіслано із
    надіслано за
    відправлено з
    відправлено із
    отримати outlook
    изпратено от
    изпратено с
    στάλθηκε από
    εστάλη από
    απεστάλη από
    λήψη του outlook
    poslano s
    poslano sa
    poslano iz
    poslano z
    poslato sa
    poslato iz
    נשלח מה
    נשלח מ
    أرسلت من
    أُرسلت من
    تم الإرسال من
    مرسل من
    مُرسل من
    ارسال شده از
    发自我的
    发自
    發自我的
    從我的
    从我的
    寄自
    传送自我的
    傳送自我的
    获取 outlook
    下载 outlook
    取得 outlook
    나의
    내
    được gửi từ
    gửi từ
    đã gửi từ
    ส่งจาก
    dikirim dari
    terkirim dari
    dapatkan outlook
    enviat des
    saadetud minu
    nosūtīts no
    išsiųsta iš
    siunčiama iš
    bidali nire
    """
)
PHONE_ENDS = (
    " gesendet", " gesendet.", " unterwegs gesendet", " from mobile", " from my mobile", " herunterladen",
    " downloaden", "から送信", "から送信されました", "에서 보냄", "에서 보내기", "에서 보냈습니다", "küldve",
    "gönderildi", " letöltése", "'u edinin", "'u indirin", "を入手", " ophalen", " beziehen", "傳送", "发送",
    "发出的邮件",
)  # fmt: skip
# … of which these say too little without a device.
PHONE_STARTS_WITH_DEVICE = (
    "from my", "från min", "나의", "내", "sent by", "outlook", "lähetetty", "poslano", "sent on",
)  # fmt: skip
# … an ending counts only where the line names a device or a program as well.
DEVICES = (
    "mailsuite", "mixmax", "hubspot", "macbook", "my mac", "watch", "superhuman", "tuta", "newton", "missive",
    "polymail", "bluemail", "em client",
    "fastmail", "яндекс", "почт", "小米", "华为", "אייפון", "courrier", "poczt", "pošt", "on the go", "the road",
    "thumbs", "keyboard", "iphone", "iphon", "ipad", "ipod", "android", "mobil", "mobile", "handy", "smartphone",
    "phone", "blackberry", "samsung", "galaxy", "huawei", "xiaomi", "outlook", "mail", "windows", "yahoo", "gmail",
    "telefon", "téléphone", "móvil", "teléfono", "celular", "telemóvel", "cellulare", "telefoon", "puhelin",
    "telefonu",
    "手机", "手機", "スマート", "휴대", "tablet", "nokia", "sony", "htc", "pixel", "spark", "airmail", "proton",
    "k-9", "app", "unterwegs", "onderweg", "déplacement", "mobilità",
    "device", "lumia", "xperia", "телефон", "айфон",
)  # fmt: skip

# A line that a mail server's banner begins with or holds: enough by itself.
BANNER_LINES = (
    "you don't often get email from", "you do not often get email from",
    "some people who received this message don't often get email from", "don't often receive email from",
    "learn why this is important", "this email originated from outside", "this e-mail originated from outside",
    "this message originated from outside", "this mail originated from outside",
    "this email originates from outside", "this email was sent from outside", "this message was sent from outside",
    "this email came from outside", "this message came from outside", "this email is from an external",
    "this message is from an external", "this is an external email", "external email: use caution",
    "external sender: use caution", "this sender might be impersonating", "be careful with this message",
    "you have not previously corresponded with this sender", "zjqcmqryfpfptbanner", "report suspicious",
    "sie erhalten nicht häufig e-mails von", "sie erhalten nicht oft eine e-mail von",
    "sie erhalten nicht oft e-mails von", "einige personen, die diese nachricht erhalten haben",
    "diese e-mail stammt von außerhalb", "diese e-mail kommt von außerhalb", "diese nachricht stammt von außerhalb",
    "diese nachricht kommt von einem externen absender", "diese e-mail wurde von einem externen absender",
    "vous n'obtenez pas souvent d'e-mail", "vous n'obtenez pas souvent d'e-mails",
    "vous ne recevez pas souvent de courrier", "vous ne recevez pas souvent d'e-mail",
    "certaines personnes qui ont reçu ce message", "ce message provient de l'extérieur",
    "ce courriel provient de l'extérieur", "cet e-mail provient de l'extérieur",
    "cet e-mail provient d'un expéditeur externe", "ce message provient d'un expéditeur externe",
    "no suele recibir correo electrónico de", "no suele recibir correos electrónicos de",
    "no sueles recibir correos", "algunas personas que recibieron este mensaje",
    "este correo electrónico se originó fuera", "este correo se originó fuera", "este correo proviene de fuera",
    "este mensaje proviene de fuera", "este mensaje se originó fuera", "você não costuma receber emails de",
    "não costuma receber e-mails de", "não costuma receber emails de", "este email foi enviado de fora",
    "este e-mail foi enviado de fora", "esta mensagem foi enviada de fora", "este e-mail teve origem fora",
    "este email teve origem fora", "non si ricevono spesso messaggi di posta",
    "non ricevi spesso messaggi di posta", "non ricevi spesso email da", "non ricevi spesso e-mail da",
    "questo messaggio proviene dall'esterno", "questa email proviene dall'esterno",
    "questa e-mail proviene dall'esterno", "questo messaggio è stato inviato dall'esterno",
    "u ontvangt niet vaak e-mail van", "je ontvangt niet vaak e-mail van", "u ontvangt niet vaak e-mails van",
    "deze e-mail is afkomstig van buiten", "deze e-mail komt van buiten", "dit bericht is afkomstig van buiten",
    "dit bericht komt van buiten", "deze e-mail is verzonden van buiten", "du får inte ofta e-post från",
    "du får inte e-post ofta från", "du får inte ofta mejl från", "det här mejlet kommer från en avsändare utanför",
    "detta mejl kommer från en avsändare utanför", "detta mail kommer från en avsändare utanför",
    "det här e-postmeddelandet kommer från en extern", "detta e-postmeddelande kommer från en extern",
    "detta meddelande kommer från en extern", "det här meddelandet kommer från en extern",
    "detta mejl kommer från en extern", "du modtager ikke ofte mails fra", "du modtager ikke ofte mail fra",
    "du får ikke ofte mails fra", "denne mail kommer fra en ekstern", "denne e-mail kommer fra en ekstern",
    "denne mail er sendt uden for", "denne e-mail kommer uden for", "denne e-mail er sendt fra en ekstern",
    "du får ikke ofte e-post fra", "denne e-posten kommer fra en ekstern", "denne e-posten er sendt fra en ekstern",
    "denne e-posten kommer fra utenfor", "denne meldingen kommer fra en ekstern",
    "et saa usein sähköpostia osoitteesta", "et saa usein sähköpostiviestejä",
    "tämä viesti on peräisin organisaation ulkopuolelta", "tämä viesti on lähetetty organisaation ulkopuolelta",
    "tämä sähköposti on lähetetty organisaation ulkopuolelta", "tämä viesti tuli organisaation ulkopuolelta",
    "nie otrzymujesz często wiadomości e-mail", "nieczęsto otrzymujesz wiadomości",
    "nie otrzymujesz często wiadomości", "ta wiadomość pochodzi spoza", "ta wiadomość e-mail pochodzi spoza",
    "ten e-mail pochodzi spoza", "wiadomość pochodzi spoza", "tento e-mail pochází z",
    "вы нечасто получаете письма от", "вы редко получаете", "это письмо отправлено извне",
)  # fmt: skip
# Otherwise a banner needs one word from each of two of these rows, the first always.
BANNER_OUTSIDE = (
    "external", "extern", "externe", "externer", "externen", "externo", "externa", "esterno", "esterna", "ekstern",
    "eksternt", "ulkoinen", "ulkopuolelta", "ulkopuolinen", "zewnętrzn", "spoza organizacji", "outside",
    "außerhalb", "buiten de organisatie", "fuera de la", "fora da", "dall'esterno", "utanför", "uden for",
    "utenfor", "внешн", "extérieur", "desde fuera", "de fuera", "din afara", "buiten", "mimo organizac", "externí",
    "külső", "kívülről", "dışından", "dışarıdan", "εξωτερικ", "εκτός του οργανισμού", "зовнішн", "извне", "ззовні",
    "vanjsk", "izvan organizac", "zunanj", "išorin", "ārēj", "väljastpoolt", "outsid", "outside source", "外部", "社外",
    "组织外", "組織外", "외부", "חיצוני", "خارجي", "خارج المؤسسة",
)  # fmt: skip
BANNER_CAUTION = (
    "caution", "warning", "attention", "be careful", "vorsicht", "achtung", "warnung", "prudence", "avertissement",
    "atención", "precaución", "advertencia", "cuidado", "atenção", "aviso", "attenzione", "avviso", "let op",
    "opgelet", "waarschuwing", "varning", "var försiktig", "observera", "obs!", "advarsel", "vær forsigtig",
    "vær forsiktig", "pas på", "varo", "varoitus", "huomio", "uwaga", "ostrożn", "ostrzeżenie", "внимание",
    "осторожно", "pozor", "do not click", "don't click", "links or", "attachments", "nicht auf links", "anhänge",
    "pièces jointes", "adjuntos", "anexos", "allegati", "bijlagen", "bilagor", "vedhæftede", "vedlegg", "liitteitä",
    "załącznik",
)  # fmt: skip
# Where a banner has come to its end, so that a line below it in small letters is the writer's.
BANNER_ENDS = (
    ".", "!", "?", ">", "]", "*", "important", "wichtig ist", "viktigt", "viktig", "vigtigt", "importante",
    "belangrijk is", "tärkeää", "ważne", "safe", "caution", "attachments", "links",
)  # fmt: skip
# A following line of the same paragraph is still the banner's when it speaks of one of these.
BANNER_MORE = (
    *BANNER_CAUTION,
    "click", "link", "attachment", "sender", "recogni", "trust", "safe", "organi", "verify", "phishing",
    "suspicious", "important", "aka.ms", "klicken", "absender", "inhalt", "sicher", "vertrau", "wichtig", "cliquez",
    "liens", "expéditeur", "contenu", "enlaces", "remitente", "contenido", "seguro", "ligações", "remetente",
    "conteúdo", "mittente", "contenuto", "sicuro", "koppelingen", "afzender", "inhoud", "veilig", "länkar",
    "avsändar", "innehåll", "säker", "viktigt", "links", "afsender", "indhold", "sikker", "avsender", "innhold",
    "lenke", "ekstern", "linkkejä", "lähettäjä", "turvalli", "linki", "nadawc", "bezpieczn", "originated",
    "outside", "help desk", "it department", "security",
)  # fmt: skip

# What may stand behind "Sent from my phone," – anything else makes it a sentence of the writer's.
EXCUSES = (
    "enjoy secure", "get the app", "get your own", "get it", "get yours",
    "excuse", "typo", "brevity", "brief", "please", "pardon", "sorry", "forgive", "short", "terse", "auto",
    "fat finger", "entschuldig", "kürze", "tippfehler", "verzeih", "excuses", "fautes", "disculp", "perdon",
    "perdón", "desculp", "scus", "errori", "fouten", "beknopt", "ursäkta", "stavfel", "kort", "undskyld", "beklag",
    "przepraszam", "omlouv", "outlook",
)  # fmt: skip
# … one of which is enough, as is the name of a program that offers itself.
EXCUSED = (
    "typo", "brevity", "kürze", "tippfehler", "fautes", "errori di", "stavfel", "fouten", "beknopt", "outlook", "yahoo",
    "gmail",
)  # fmt: skip

# Disclaimers: a long paragraph is one when it speaks of who may read it and holds a word of the second table.
DISCLAIMER_READERS = (
    "intended recipient", "intended solely for", "intended only for", "solely for the use", "for the addressee",
    "the addressee", "individual or entity", "named addressee", "named person", "only for the use of",
    "received this in error", "received this email in error", "received this e-mail in error",
    "received this message in error", "received this communication in error", "received it in error",
    "received in error", "received this mail in error", "beabsichtigte empfänger", "beabsichtigter empfänger",
    "richtige adressat", "irrtümlich erhalten", "versehentlich erhalten", "nicht der richtige",
    "vorgesehene empfänger", "destinataire prévu", "usage exclusif", "à l'attention exclusive",
    "message par erreur", "mail par erreur", "uso exclusivo", "destinatario previsto", "mensaje por error",
    "correo por error", "destinatário", "por engano", "uso esclusivo", "messaggio per errore", "per errore",
    "uitsluitend bestemd", "ten onrechte", "abusievelijk", "endast avsett för", "endast avsedd för",
    "avsedda mottagaren", "av misstag", "udelukkende beregnet", "kun beregnet", "ved en fejl", "ved en feil",
    "tiltenkte", "tarkoitettu vain", "vahingossa", "wyłącznie dla", "adresata", "omyłkowo", "určen pouze", "omylem",
    "tévedésből", "по ошибке", "предназначен", "por error", "per abuis", "din greșeală", "din greseala",
    "exclusiv destinatarului", "από λάθος", "παραλήπτη", "yanlışlıkla", "错收", "誤收", "误收", "誤って受信",
    "誤って届", "잘못 수신", "kizárólag a címzett", "výhradně pro", "помилково", "בטעות", "بالخطأ",
    "a su destinatario", "no es el destinatario,", "no es usted el destinatario", "no eres el destinatario,",
    "destinataire désigné", "autre que le destinataire", "pas destinataire", "pas le destinataire",
    "n'êtes pas le", "bezeichneten adressaten", "vorgesehene adressat", "nicht für sie bestimmt", "pouze adresát",
    "zamýšlen", "intended for the recipient", "received it by mistake", "received by mistake",
    "received this message by mistake", "received this email by mistake", "received this e-mail by mistake",
    "solely those of the author", "those of the author and do not", "non è il destinatario",
    "niet voor u bestemd", "inte är rätt mottagare", "ikke er rette modtager", "ikke er rett mottaker",
)  # fmt: skip
DISCLAIMER_SECRETS = (
    "confidential", "privileged", "proprietary", "vertraulich", "confidentiel", "confidencia", "riservat", "apagá",
    "apague",
    "confidenzial", "vertrouwelijk", "konfidentiell", "fortrolig", "luottamukselli", "poufn", "důvěrn", "bizalmas",
    "конфиденциальн", "gizli", "sekretess", "secure means of communication", "monitored", "virus", "opinions",
    "notify the sender", "notify us", "inform the sender", "advise the sender", "contact the sender", "delete it",
    "delete this", "destroy", "return it to", "permanently delete", "do not copy", "copy, distribute", "disclos",
    "unauthorised use", "unauthorized use", "prohibited", "informieren sie", "vernichten sie", "löschen sie",
    "verständigen sie", "unbefugte", "prévenir", "avertir", "détruire", "supprimer", "notifi", "elimin", "destruir",
    "apagar", "informare", "cancellar", "distrugger", "restituir", "afzender te informeren", "verwijder",
    "vernietig", "meddela avsändaren", "radera", "underret", "slett", "ilmoit", "tuhoa", "powiadom", "usunię",
    "smaž", "odstran", "сообщите", "удалите", "εμπιστευτικ", "保密", "機密", "机密", "기밀", "supprim",
    "detrui", "törölje", "конфіденційн", "סודי", "سري",
)  # fmt: skip

# What stands as a title above one.
DISCLAIMER_HEADS = _phrases(
    """
    disclaimer
    confidentiality
    confidentiality notice
    legal notice
    legal disclaimer
    email disclaimer
    e-mail disclaimer
    important notice
    notice
    haftungsausschluss
    vertraulichkeitshinweis
    avertissement
    avis de confidentialité
    aviso legal
    aviso de confidencialidad
    aviso de confidencialidade
    avviso di riservatezza
    ansvarsfriskrivning
    vastuuvapauslauseke
    """
)
# … and of what it speaks, where it calls itself no mail.
DISCLAIMED = (
    "communication", "comunica", "transmission", "transmis", "contained herein", "contained in this", "attachment",
    "anhang", "anlage", "pièce jointe", "pièces jointes", "allegat", "adjunt", "anexo", "bijlage", "bilag", "vedlegg",
    "liite", "załącznik", "příloh", "this document", "this fax", "this transmittal", "informations contenues",
    "information contained", "informationen enthält", "informazioni contenute", "información contenida",
    "informações contidas", "email", "e-post", "epost", "sähköposti", "сообщени", "zpráv", "üzenet", "e-posta",
)  # fmt: skip

# A paragraph that begins so is a footer by itself (mailing lists, notifications) …
FOOTER_STARTS = (
    "quoted text hidden]", "quoted text clipped]", "zitierter text ausgeblendet]", "texte des messages précédents",
    "texto citado oculto]", "citerad text dold]", "geciteerde tekst", "testo tra virgolette nascosto]",
    "sender notified by", "you can view, comment on, or merge this pull request", "think green",
    "this email was sent from a notification-only", "image: mailtrack", "um sich von der liste",
    "um sich von dieser liste",
    "to unsubscribe", "click here to unsubscribe", "yahoo mail: search",
    "reply to this email directly", "manage your subscription",
    "manage your notification", "you are subscribed to", "um sich abzumelden", "um diese liste abzumelden",
    "pour vous désabonner", "pour se désabonner", "se désabonner", "para darse de baja", "per annullare l'iscrizione",
    "per cancellarti", "om u af te melden", "om je uit te schrijven", "för att avregistrera", "avprenumerera på",
    "för at afmelde", "for å melde deg av", "aby zrezygnować z", "think before you print",
    "please think before you print", "пожалуйста, не печатайте",
)  # fmt: skip
# … one that begins so, if it also speaks of what a machine does: a subscription, a list, printing, a link.
FOOTER_MAYBE = (
    "unsubscribe", *(
        f"{you} this {mail}"
        for you in ("you received", "you have received", "you are receiving", "you're receiving")
        for mail in ("e", "m", "because", "n", "digest", "post", "update", "alert", "survey", "invitation")
    ),
    "this email was sent to", "this message was sent to", "this e-mail was sent to", "this is an automated",
    "sie erhalten diese", "du erhältst diese", "vous recevez ce", "recibes este", "recibe este", "has recibido este",
    "ha recibido este", "você recebeu est", "você está recebendo", "recebeu este", "ricevi questa",
    "hai ricevuto questa", "u ontvangt de", "je ontvangt de", "u ontvangt dit", "je ontvangt dit", "du får det här",
    "du får detta", "du modtager denne", "du mottar denne", "saat tämän", "otrzymujesz tę", "otrzymałeś tę",
    "вы получили это", "please consider the environment", "consider the environment", "denken sie an die umwelt",
    "bitte denken sie an die umwelt", "pensez à l'environnement", "tänk på miljön", "tænk på miljøet",
    "tenk på miljøet", "denk aan het milieu", "piense en el medio ambiente", "pense no meio ambiente",
    "avprenumerera",
)  # fmt: skip
FOOTER_MORE = (
    "subscri", "abonn", "mailing list", "maillist", "group", "gruppe", "notification", "preferences", "settings",
    "http", "www.", "list", "print", "druck", "imprim", "skriv ut", "skriver ut", "udskriv", "stampar", "afdruk",
    "because you are", "because you're", "watching", "thread", "follow", "account", "konto", "angemeldet",
    "registrer",
    "iscri", "assinat", "suscri", "подпис", "рассыл",
)  # fmt: skip
# … which speak of lists in this table, where links and addresses stand under a rule.
LIST_WORDS = (
    "subscri", "mailing list", "mailinglist", "maillist", "e-postlist", "mejllist", "group", "gruppe", "grupp",
    "view/reply", "mute this", "abonn", "désabonn", "abmeld", "avregistrer", "afmeld", "avmeld", "list help",
    "list info", "listserv", "archives", "/listinfo", "suscri", "assinat", "iscri", "poistu", "wypisz",
)  # fmt: skip
# Whose scanners say under a mail that they have seen it.
SCANNERS = (
    "avast",
    "avg ",
    "norton",
    "mcafee",
    "eset",
    "sophos",
    "kaspersky",
    "bitdefender",
    "mailscanner",
    "mimecast",
)
# … or names what a scanner looks for, in the first line under a rule.
VIRUSES = ("virus", "viru", "viren", "wirus", "вирус", "вірус", "malware", "mailscanner")
# What a program that counts readers leaves at the end of a text.
TRACKED = "ᐧ"
# … or holds one of these.
FOOTER_PARTS = (
    "mailman/listinfo", "/listinfo/", "majordomo info at", "avast.com/sig-email", "groups.google.com/d/",
    "__._,_.___",
)  # fmt: skip
# Who asks to spare paper under a mail names what is spared and what spoils it.
SPARED = (
    "environment", "umwelt", "environnement", "medio ambiente", "meio ambiente", "l'ambiente", "milieu", "miljö",
    "miljø", "ympäristö", "środowisk", "trees", "planet", "planète", "životní prostředí",
)  # fmt: skip
PRINTED = ("print", "druck", "imprim", "stamp", "afdruk", "skriv", "udskriv", "tulost", "druk", "tisk")
# What free mail services, by these names, offer under a rule below everybody's text.
MAIL_HOSTS = (
    "yahoo!", "hotmail", "msn", "windows live", "juno", "lycos", "gmx", "web.de", "freemail", "free web mail",
    "free webmail", "mail2web", "outlook.com", "laposte", "libero", "tiscali", "freenet", "imp,",
)  # fmt: skip
OFFERS = (
    "http", "www.", "free ", "gratis", "gratuit", "kostenlos", "sign up", "join ", "try ", "deals", "neuen", "nouve",
    "nuev", "nuov", "scopri", "descubr", "découvr", "entdeck", "sent using", "sent through",
)  # fmt: skip
# … or one of these where it speaks of the mail that it stands in.
SCANNED = (
    "scanned for viruses", "checked for viruses", "scanned for virus", "virus-free", "virusfrei", "virenfrei",
    "swept for", "auf viren geprüft", "auf viren überprüft", "fri från virus", "sans virus", "libre de virus",
    "livre de vírus", "privo di virus", "virusvrij", "scanned by mailscanner", "scannet for virus",
    "kontrollerats av antivirus",
)  # fmt: skip
THIS_MAIL = (
    "this e", "this m", "the email", "incoming", "outgoing", "diese e", "diese m", "diese n", "dieser e", "ce m",
    "cet e", "ce c", "este c", "este m", "este e", "esta m", "quest", "dit b", "deze e", "detta m", "detta e",
    "den här", "det här", "denne", "dette", "tämä", "ta wiad", "tento", "это", "virus-free", "virusfrei", "virenfrei",
    "mailscanner", "avast",
)  # fmt: skip
SENDERS = (
    "sender", "absender", "expéditeur", "remitente", "remetente", "mittente", "afzender", "avsändare", "afsender",
    "avsender", "lähettäjä", "nadawc", "отправител",
)  # fmt: skip
MAIL_WORDS = (
    "mail", "message", "nachricht", "absender", "sender", "courriel", "expéditeur", "correo", "mensaje",
    "remitente", "mensagem", "remetente", "messaggio", "mittente", "bericht", "afzender", "mejl", "meddelande",
    "avsändare", "besked", "afsender", "e-post", "melding", "avsender", "viesti", "lähettäjä", "wiadomość",
    "nadawc", "письмо", "отправител", "邮件", "郵件", "メール", "メッセージ", "메일", "e-posta", "ileti", "zpráv",
    "üzenet", "levél", "mesaj", "μήνυμα", "сообщени", "повідомлен", "poruk", "sporočil", "הודעה", "דוא",
    "رسالة", "البريد", "viest",
)  # fmt: skip

# What a firm says under its mails of the data of whoever writes to it: whose they are, and what is done with them.
YOUR_DATA = (
    "your personal data", "your personal information", "your data", "you email us", "you e-mail us", "you contact us",
    "dina personuppgifter", "dina uppgifter", "mejlar oss", "mailar oss", "ihre daten", "ihrer daten",
    "personenbezogene", "vos données", "sus datos", "tus datos", "seus dados", "suoi dati", "tuoi dati",
    "uw gegevens", "uw persoonsgegevens", "je gegevens", "dine personoplysninger", "dine personopplysninger",
    "henkilötietojasi", "henkilötietojen", "twoich danych", "państwa danych", "danych osobowych", "vašich osobních",
)  # fmt: skip
PROCESSED = (
    "we process", "we handle", "we treat", "processing of", "behandlar", "hanterar", "verarbeiten", "verarbeitung",
    "umgang mit", "traitons", "traitement", "tratamos", "tratamiento", "tratamento", "trattiamo", "trattamento",
    "verwerken", "verwerking", "behandler", "behandling", "käsittel", "przetwarza", "zpracov",
)  # fmt: skip

# What a banner warns of, and how: with a word for "outside" and one for mail, one of each of these is enough …
BANNER_LINKS = (
    "link", "attachment", "anhang", "anhäng", "lien", "pièce", "enlace", "adjunto", "anexo", "allegat", "bijlage",
    "länk", "bilag", "vedhæft", "vedlegg", "liitte", "załącznik", "odkaz", "přílo", "prílo", "hivatkozás", "mellékl",
    "bağlantı", "ссыл", "вложен", "посилан", "вкладен", "σύνδεσμ", "συνημμ", "poveznic", "privit", "prilog",
    "atasament", "ataşament", "atașament", "リンク", "添付", "链接", "附件", "連結", "링크", "첨부", "קישור", "رابط",
    "expéditeur avant", "know the sender", "absender nicht",
)  # fmt: skip
BANNER_ACTS = (
    "click", "open", "careful", "caution", "klick", "öffne", "vorsicht", "achtsam", "cliqu", "ouvr", "prudent",
    "méfi", "clic", "abra", "abrir", "cuidado", "clique", "apri", "aprire", "prudenza", "klik", "voorzichtig",
    "försiktig", "öppna", "forsigtig", "åbn", "forsiktig", "åpne", "varovai", "avaa", "ostrożn", "otwiera", "otevír",
    "neklik", "opatrn", "kattint", "tıklama", "açmay", "нажима", "открыва", "осторожн", "відкрива", "натиска",
    "κάνετε κλικ", "ανοίγετε", "otvara", "accesa", "deschide", "注意", "点击", "點擊", "クリック", "주의", "클릭",
    "ללחוץ", "النقر",
)  # fmt: skip
# … and so is the bare fact, when a short sentence about this mail says where it came from.
BANNER_CAME = (
    "from", "sent by", "origin", "kommt", "stammt", "gesendet", "provient", "envoyé", "enviado", "enviada",
    "proviene",
    "procede", "inviat", "afkomstig", "komt", "verzonden", "skicka", "kommer", "sendt", "lähetetty", "tulee",
    "pochodzi",
    "wysłan", "pochází", "odeslán", "érkezett", "küldt", "gönder", "отправлен", "пришло", "надіслан", "来自", "から",
)  # fmt: skip
